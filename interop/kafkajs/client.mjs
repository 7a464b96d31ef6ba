// kafkajs as an interop client (see ../README.md).
//
// kafkajs consumes through a consumer group only. To read an assigned partition this drives the parts under its consumer: its Cluster, its
// Broker.fetch and its Batch (which drops the records before the offset asked for).
import { createRequire } from 'node:module'
import { decompress, compress, init as initZstd } from '@bokuweb/zstd-wasm'
import lz4 from 'lz4-napi'
import { DEADLINE_MS, b64, performDue, serve, stayUntil, unb64 } from '../line_server.mjs'

const require = createRequire(import.meta.url)
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs')
const Batch = require('kafkajs/src/consumer/batch')
const Cluster = require('kafkajs/src/cluster')
const InstrumentationEventEmitter = require('kafkajs/src/instrumentation/emitter')
const createSocketFactory = require('kafkajs/src/network/socketFactory')

// kafkajs itself has gzip; the others are plugged in as its documentation says. Its own packages for lz4 and zstd compile native code.
const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({ compress: (encoder) => lz4.compressFrame(encoder.buffer), decompress: (data) => lz4.decompressFrame(data) })
await initZstd()
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from(compress(encoder.buffer)),
  decompress: async (data) => Buffer.from(decompress(data, { defaultHeapSize: 16 << 20 }))
})

const options = (command) => ({ brokers: [command.bootstrap], clientId: 'interop', logLevel: logLevel.ERROR })

async function create({ topic, partitions, ...command }) {
  const admin = new Kafka(options(command)).admin()
  await admin.connect()
  try {
    await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }] })
  } finally {
    await admin.disconnect()
  }
  return { ok: true }
}

// Headers of kafkajs are an object: several values of one name are an array.
function headersIn(pairs) {
  const headers = {}
  for (const [name, value] of pairs) headers[name] = name in headers ? [headers[name], unb64(value)].flat() : unb64(value)
  return headers
}

const headersOut = (headers) => Object.entries(headers).flatMap(([name, values]) => [values].flat().map((value) => [name, b64(value)]))

async function produce({ topic, partition, codec, idempotent, records, ...command }) {
  const producer = new Kafka(options(command)).producer({ idempotent, maxInFlightRequests: idempotent ? 1 : undefined, retry: idempotent ? undefined : { retries: 5 } })
  await producer.connect()
  try {
    const [answer] = await producer.send({
      topic,
      acks: -1,
      compression: codecs[codec],
      messages: records.map((record) => ({ key: unb64(record.key), value: unb64(record.value), headers: headersIn(record.headers), timestamp: String(record.timestamp), partition }))
    })
    return { offsets: records.map((_, index) => Number(answer.baseOffset) + index) } // one batch per send and partition
  } finally {
    await producer.disconnect()
  }
}

async function consume({ topic, partition, from, count, committed, ...command }) {
  const deadline = Date.now() + DEADLINE_MS
  const isolationLevel = committed ? 1 : 0
  const silent = { namespace: () => silent, debug() {}, info() {}, warn() {}, error: console.error, setLogLevel() {} }
  const cluster = new Cluster({
    ...options(command),
    logger: silent,
    socketFactory: createSocketFactory(),
    connectionTimeout: 1000,
    enforceRequestTimeout: true,
    metadataMaxAge: 300_000,
    allowAutoTopicCreation: false,
    instrumentationEmitter: new InstrumentationEventEmitter(),
    isolationLevel
  })
  await cluster.connect()
  try {
    await cluster.addTargetTopic(topic)
    let offset = from.offset
    if (offset === undefined) {
      const asked = from === 'start' ? { fromBeginning: true } : { fromTimestamp: from.time }
      const [{ partitions }] = await cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], ...asked }])
      offset = Number(partitions[0].offset)
      if (offset < 0) return { records: [] }
    }
    const [leader] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
    const broker = await cluster.findBroker({ nodeId: leader })
    const records = []
    while (records.length < count && Date.now() < deadline) {
      const { responses } = await broker.fetch({
        isolationLevel,
        maxWaitTime: 500,
        topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: 1 << 20 }] }]
      })
      const batch = new Batch(topic, String(offset), responses[0].partitions[0])
      if (batch.isEmptyDueToFiltering()) offset = Number(batch.lastOffset()) + 1 // all of it was aborted, or a marker
      for (const message of batch.messages.slice(0, count - records.length)) {
        const { key, value, headers, timestamp } = message
        records.push({ offset: Number(message.offset), key: b64(key), value: b64(value), headers: headersOut(headers), timestamp: Number(timestamp) })
        offset = Number(message.offset) + 1
      }
    }
    return { records }
  } finally {
    await cluster.disconnect()
  }
}

async function group({ group, topics, pattern, count, commit, stay, seconds = DEADLINE_MS / 1000, acts = [], protocol_options: given = {}, ...command }) {
  const names = { 'session.timeout.ms': 'sessionTimeout', 'heartbeat.interval.ms': 'heartbeatInterval', 'max.poll.interval.ms': 'rebalanceTimeout', 'metadata.max.age.ms': 'metadataMaxAge' }
  const settings = Object.fromEntries(Object.entries(given).map(([name, value]) => {
    if (!(name in names)) throw new Error(`kafkajs has no ${name}`) // its one assignor is called RoundRobinAssigner
    return [names[name], Number(value)]
  }))
  const consumer = new Kafka(options(command)).consumer({ groupId: group, maxWaitTimeInMs: 200, ...settings })
  const records = []
  const next = new Map()
  const begin = Date.now()
  const end = begin + 1000 * seconds
  let first = null
  const perform = {
    pause: ({ partition }) => consumer.pause([{ topic: topics[0], partitions: [partition] }]),
    resume: ({ partition }) => consumer.resume([{ topic: topics[0], partitions: [partition] }]),
    seek: ({ partition, offset }) => consumer.seek({ topic: topics[0], partition, offset: String(offset) }),
    commit: () => consumer.commitOffsets([...next.values()])
  }
  await consumer.connect()
  try {
    await consumer.subscribe({ topics: pattern === undefined ? topics : [new RegExp(pattern)], fromBeginning: true })
    await new Promise((resolve, reject) => {
      const late = setTimeout(resolve, end - Date.now())
      consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => restart || reject(error))
      consumer.run({
        autoCommit: false,
        eachMessage: async ({ topic, partition, message }) => {
          if (records.length >= count) return
          first ??= Date.now() - begin
          records.push({ topic, partition, offset: Number(message.offset), key: b64(message.key), value: b64(message.value) })
          next.set(`${topic}/${partition}`, { topic, partition, offset: String(Number(message.offset) + 1) })
          await performDue(acts, records.length, (act) => perform[act.do](act))
          if (records.length < count) return
          clearTimeout(late)
          resolve()
        }
      }).catch(reject)
    })
    count = records.length
    if (commit && count > 0) await perform.commit()
    await stayUntil(stay, end)
  } finally {
    await consumer.disconnect()
  }
  return { records, first_ms: first }
}

async function transactional({ transactional_id: transactionalId, ...command }) {
  const producer = new Kafka(options(command)).producer({ transactionalId, idempotent: true, maxInFlightRequests: 1, retry: { retries: 5 } })
  await producer.connect()
  return producer
}

async function transact(command) {
  const producers = [await transactional(command)]
  const outcomes = []
  try {
    for (const step of command.steps) {
      const transaction = await producers[0].transaction()
      const send = (values) => transaction.send({ topic: command.topic, messages: values.map((value) => ({ value, partition: 0 })) })
      if (step.group) await transform(command, step, transaction, send)
      else await send(step.values.map(unb64))
      if (step.fence) {
        producers.push(await transactional(command))
        await (await producers[1].transaction()).abort() // it asks for its producer id with its first transaction
      }
      try {
        await (step.commit ? transaction.commit() : transaction.abort())
        outcomes.push(step.commit ? 'committed' : 'aborted')
      } catch (error) {
        if (!step.fence) throw error
        outcomes.push(`fenced: ${error.type}`)
      }
    }
  } finally {
    await Promise.all(producers.map((producer) => producer.disconnect()))
  }
  return { outcomes }
}

// Write what a member of the group reads, and its offsets, into the transaction.
async function transform(command, step, transaction, send) {
  const consumer = new Kafka(options(command)).consumer({ groupId: step.group, maxWaitTimeInMs: 200 })
  await consumer.connect()
  try {
    await consumer.subscribe({ topics: [step.from], fromBeginning: true })
    const read = await new Promise((resolve, reject) => {
      const records = []
      const late = setTimeout(() => resolve(records), DEADLINE_MS)
      consumer.run({
        autoCommit: false,
        eachMessage: async ({ topic, partition, message }) => {
          if (records.length >= step.count) return
          records.push({ topic, partition, offset: String(Number(message.offset) + 1), value: message.value })
          if (records.length < step.count) return
          clearTimeout(late)
          resolve(records)
        }
      }).catch(reject)
    })
    await send(read.map(({ value }) => value))
    const next = new Map(read.map(({ partition, offset }) => [partition, { partition, offset }]))
    await transaction.sendOffsets({ consumerGroupId: step.group, topics: [{ topic: step.from, partitions: [...next.values()] }] })
  } finally {
    await consumer.disconnect()
  }
}

async function features() {
  return {
    client: 'kafkajs',
    version: require('kafkajs/package.json').version,
    codecs: Object.keys(codecs),
    idempotent: true,
    null_header_values: false, // its record encoder measures the value before it looks for null
    reads_null_header_values: true,
    from_time: true
  }
}

await serve({ create, produce, consume, group, transact, features })
