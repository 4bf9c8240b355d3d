/** Times batches on two threads against the same batches on one. */
import { availableParallelism } from 'node:os'
import { loadModel, type PackedModel } from 'sterna-runtime'
import { textTable } from '../../report/index.ts'
import { randomImages } from './inference-networks.ts'
import { type PairedTimes, timePairs } from './pairs.ts'
import { ratioCells } from './report.ts'
import { withRandomRanges } from './with-ranges.ts'

/** How many times as fast two threads are to be. */
const goal = 1.8
const threads = 2
const arithmetics = ['int', 'f32'] as const

export interface BatchTimes {
  readonly arithmetic: (typeof arithmetics)[number]
  /** Of one batch. */
  readonly images: number
  readonly goal: number
  /** Median milliseconds of one `Session.runBatch`. */
  readonly oneThreadMs: number
  readonly twoThreadsMs: number
  /** One thread's time over two threads'. */
  readonly ratio: PairedTimes['ratio']
}

export interface BatchContest {
  readonly batches: readonly number[]
  readonly rounds: number
  readonly onRound?: (what: string, round: number) => void
}

/** @returns why there is nothing to time, where this host has one core or starts no workers */
export async function timeBatches(
  packed: PackedModel,
  { batches, rounds, onRound }: BatchContest,
): Promise<readonly BatchTimes[] | string> {
  const cores = availableParallelism()
  if (cores < threads) return `two threads need two cores, and this machine has ${cores}`
  const [{ shape }] = packed.inputs as readonly [PackedModel['inputs'][number]]
  const images = randomImages(shape, Math.max(...batches))
  const model = await withRandomRanges(packed)
  const times: BatchTimes[] = []
  for (const arithmetic of arithmetics) {
    const one = await loadModel(model, { arithmetic })
    const two = await loadModel(model, { arithmetic, threads })
    try {
      if (two.threads < threads) return two.threadsReason
      for (const count of batches) {
        const batch = new Float32Array(count * images[0]!.length)
        for (let i = 0; i < count; i++) batch.set(images[i]!, i * images[0]!.length)
        const contestants = [
          { name: 'two threads', run: () => two.runBatch(batch) },
          { name: 'one thread', run: () => one.runBatch(batch) },
        ]
        const [own, other] = await timePairs(contestants, {
          rounds,
          repeats: 1,
          ...(onRound && { onRound: round => onRound(`${arithmetic}, ${count} images`, round) }),
        })
        times.push({
          arithmetic,
          images: count,
          goal,
          oneThreadMs: other!.medianMs,
          twoThreadsMs: own!.medianMs,
          ratio: other!.ratio,
        })
      }
    } finally {
      two.close()
    }
  }
  return times
}

/** @param name of the network */
export function batchTable(name: string, times: readonly BatchTimes[] | string): string {
  if (typeof times === 'string') return `Batches on two threads are not timed: ${times}.`
  return textTable(
    [
      { title: `two threads, ${name}`, align: 'left' },
      { title: 'over one', align: 'right' },
      { title: 'min – max', align: 'right' },
      { title: 'ms', align: 'right' },
      { title: 'one thread', align: 'right' },
    ],
    times.map(({ arithmetic, images, ratio, twoThreadsMs, oneThreadMs }) => {
      const [median, spread] = ratioCells(ratio)
      return [
        `${arithmetic}, ${images} images`,
        `${ratio.median < goal ? '! ' : ''}${median} (${goal})`,
        spread,
        twoThreadsMs.toFixed(2),
        oneThreadMs.toFixed(2),
      ]
    }),
  )
}
