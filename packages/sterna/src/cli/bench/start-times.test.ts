import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomPacked } from './inference-networks.ts'
import { startTable, timeStarts } from './start-times.ts'
import { withRandomRanges } from './with-ranges.ts'

test('bench start times fresh processes of each engine, and a compiled network starts first', async () => {
  const packed = await withRandomRanges(randomPacked('lenet5', 0.9))
  const rounds: number[] = []
  const times = await timeStarts(packed, {
    peers: ['ort-node'],
    rounds: 3,
    onRound: round => rounds.push(round),
  })
  assert.deepEqual(rounds, [0, 1, 2])
  assert.deepEqual(
    times.map(({ name }) => name),
    ['sterna, compiled', 'sterna, planned at load', 'ort-node'],
  )
  for (const { ms, medianMs } of times) {
    assert.ok(ms.length === 3 && ms.every(time => time > 0) && medianMs === ms[1])
  }
  assert.ok(times[0]!.ms[0]! < times[1]!.ms[0]!, JSON.stringify(times))
  const table = startTable([
    { name: 'slow', ms: [20, 30, 40], medianMs: 30, goalMs: 25 },
    { name: 'other', ms: [60, 60, 60], medianMs: 60 },
  ])
  assert.match(table, /slow +! 30\.0 \(25\) +20\.0 – 40\.0 +1\.0×/)
  assert.match(table, /other +60\.0 +60\.0 – 60\.0 +2\.0×/)
})
