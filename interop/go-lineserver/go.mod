module kafkacompat/interop/lineserver

go 1.23
