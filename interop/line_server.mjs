// The line protocol of the interop clients that run on Node: one JSON command per line in, one JSON answer per line out (see README.md).
// Standard output is kept for answers alone: console.log goes to stderr.
import { existsSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

export const DEADLINE_MS = 20_000 // a consume answers what it has after this long

export const b64 = (data) => (data == null ? null : Buffer.from(data).toString('base64'))
export const unb64 = (text) => (text == null ? null : Buffer.from(text, 'base64'))

// For a member of a group that has to stay: returns when the file is there, or at the time `end` (of Date.now).
export async function stayUntil(path, end) {
  while (path !== undefined && !existsSync(path) && Date.now() < end) await sleep(50)
}

// Does the acts of a `group` command that are due when it has read `read` records, with `perform`, and takes them out of the list.
export async function performDue(acts, read, perform) {
  while (acts.length > 0 && read >= acts[0].after) {
    const act = acts.shift()
    if (act.do !== undefined) await perform(act)
    if (act.touch !== undefined) writeFileSync(act.touch, '', { flag: 'wx' })
  }
}

export async function serve(handlers) {
  console.log = console.info = console.debug = console.error
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    let answer
    try {
      const command = JSON.parse(line)
      answer = await handlers[command.op](command)
    } catch (error) {
      console.error(error)
      answer = { error: `${error.name}: ${error.message}${(error.errors ?? []).map((e) => `; ${e.message}`).join('')}` }
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
  process.exit(0)
}
