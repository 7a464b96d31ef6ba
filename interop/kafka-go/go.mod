module kafkacompat/interop/kafka-go

go 1.23

require (
	github.com/segmentio/kafka-go v0.4.51
	kafkacompat/interop/lineserver v0.0.0
)

require (
	github.com/klauspost/compress v1.15.9 // indirect
	github.com/pierrec/lz4/v4 v4.1.33 // indirect; kafka-go asks for 4.1.15, which cannot read frames with block checksums (aiokafka)
)

replace kafkacompat/interop/lineserver => ../go-lineserver
