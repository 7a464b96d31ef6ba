// @platformatic/kafka as an interop client (see ../README.md).
//
// Its streams join a consumer group; Consumer.fetch is its public way to read an assigned partition, and gives batches as they are.
import { readFileSync } from 'node:fs'
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import { DEADLINE_MS, b64, performDue, serve, stayUntil, unb64 } from '../line_server.mjs'

const options = (command) => ({ clientId: 'interop', bootstrapBrokers: [command.bootstrap] })

async function create({ topic, partitions, ...command }) {
  const admin = new Admin(options(command))
  try {
    await admin.createTopics({ topics: [topic], partitions, replicas: 1 })
  } finally {
    await admin.close()
  }
  return { ok: true }
}

async function produce({ topic, partition, codec, idempotent, records, ...command }) {
  const producer = new Producer({ ...options(command), idempotent, acks: -1, compression: codec })
  try {
    const { offsets } = await producer.send({
      messages: records.map((record) => ({
        topic,
        partition,
        key: unb64(record.key),
        value: unb64(record.value),
        // A Map by Buffers keeps several values of one name.
        headers: new Map(record.headers.map(([name, value]) => [Buffer.from(name), unb64(value)])),
        timestamp: BigInt(record.timestamp)
      }))
    })
    return { offsets: records.map((_, index) => Number(offsets[0].offset) + index) } // one batch per send and partition
  } finally {
    await producer.close()
  }
}

async function consume({ topic, partition, from, count, ...command }) {
  const deadline = Date.now() + DEADLINE_MS
  const consumer = new Consumer({ ...options(command), groupId: 'unused', autocommit: false })
  try {
    let offset = from.offset === undefined ? undefined : BigInt(from.offset)
    if (offset === undefined) {
      const timestamp = from === 'start' ? -2n : BigInt(from.time)
      const offsets = await consumer.listOffsets({ topics: [topic], partitions: { [topic]: [partition] }, timestamp })
      offset = offsets.get(topic)[partition]
      if (offset < 0n) return { records: [] }
    }
    const { id: topicId, partitions } = (await consumer.metadata({ topics: [topic] })).topics.get(topic)
    const records = []
    while (records.length < count && Date.now() < deadline) {
      const answer = await consumer.fetch({
        node: partitions[partition].leader,
        maxWaitTime: 500,
        topics: [{ topicId, partitions: [{ partition, currentLeaderEpoch: -1, fetchOffset: offset, lastFetchedEpoch: -1, partitionMaxBytes: 1 << 20 }] }]
      })
      for (const batch of answer.responses[0]?.partitions[0].records ?? []) {
        for (const record of batch.records) {
          const at = batch.firstOffset + BigInt(record.offsetDelta)
          if (at < offset || records.length === count) continue
          records.push({
            offset: Number(at),
            key: b64(record.key),
            value: b64(record.value),
            headers: record.headers.map(([name, value]) => [name.toString(), b64(value)]),
            timestamp: Number(batch.firstTimestamp + record.timestampDelta)
          })
          offset = at + 1n
        }
      }
    }
    return { records }
  } finally {
    await consumer.close(true)
  }
}

async function group({ group, topics, pattern, count, commit, stay, seconds = DEADLINE_MS / 1000, acts = [], protocol_options: given = {}, ...command }) {
  const names = { 'session.timeout.ms': 'sessionTimeout', 'heartbeat.interval.ms': 'heartbeatInterval', 'max.poll.interval.ms': 'rebalanceTimeout', 'metadata.max.age.ms': 'metadataMaxAge', 'group.protocol': 'groupProtocol', 'group.instance.id': 'groupInstanceId' }
  const settings = Object.fromEntries(Object.entries(given).map(([name, value]) => {
    if (name === 'partition.assignment.strategy') return ['protocols', [{ name: value, version: 1 }]] // roundrobin or cooperative-sticky
    if (!(name in names)) throw new Error(`@platformatic/kafka has no ${name}`)
    return [names[name], value]
  }))
  if (pattern !== undefined) throw new Error('@platformatic/kafka cannot subscribe to a pattern')
  const consumer = new Consumer({ ...options(command), groupId: group, autocommit: false, maxWaitTime: 200, ...settings })
  const records = []
  const begin = Date.now()
  const end = begin + 1000 * seconds
  let first = null
  const next = new Map()
  let place = { mode: 'committed', fallbackMode: 'earliest' }
  const perform = {
    // A stream is as any other of Node: pause and resume are for all of it.
    pause: () => { throw new Error('@platformatic/kafka cannot pause a partition') },
    // Where a stream begins is said when it is made: it takes a new one, of the same member.
    seek: ({ partition, offset }) => {
      next.set(`${topics[0]}/${partition}`, { topic: topics[0], partition, offset: BigInt(offset), leaderEpoch: 0 })
      place = { mode: 'manual', offsets: [...next.values()].map(({ topic, partition, offset }) => ({ topic, partition, offset })) }
    },
    commit: () => consumer.commit({ offsets: [...next.values()] })
  }
  try {
    while (records.length < count && Date.now() < end) {
      const begun = place
      const stream = await consumer.consume({ topics, ...place })
      const late = setTimeout(() => stream.destroy(), end - Date.now())
      try {
        for await (const { topic, partition, offset, key, value } of stream) {
          first ??= Date.now() - begin
          records.push({ topic, partition, offset: Number(offset), key: b64(key), value: b64(value) })
          next.set(`${topic}/${partition}`, { topic, partition, offset: offset + 1n, leaderEpoch: 0 })
          await performDue(acts, records.length, (act) => perform[act.do](act))
          if (records.length === count || place !== begun) break
        }
      } catch (error) {
        if (Date.now() < end && !topicGone(error)) throw error
      } finally {
        clearTimeout(late)
      }
    }
    if (commit && records.length > 0) await perform.commit()
    await stayUntil(stay, end)
  } finally {
    await consumer.close(true)
  }
  return { records, first_ms: first }
}

// Whether a stream has ended because its topic was deleted, and perhaps made again: another stream of the same member can go on then.
function topicGone(error) {
  return ['UNKNOWN_TOPIC_ID', 'UNKNOWN_TOPIC_OR_PARTITION', 'OFFSET_OUT_OF_RANGE'].some((id) => error.findBy?.('apiId', id))
}

async function features() {
  return {
    client: 'platformatic',
    version: JSON.parse(readFileSync(new URL('node_modules/@platformatic/kafka/package.json', import.meta.url))).version,
    codecs: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
    idempotent: true,
    null_header_values: true,
    from_time: true
  }
}

await serve({ create, produce, consume, group, features })
