/** `sterna diff`. */
import type { Command } from 'commander'
import { SternaError } from '../../core/index.ts'
import { openDataset } from '../../data/index.node.ts'
import { viewAll } from '../../data/index.ts'
import { diffSterna } from '../../pack/index.ts'
import { diffText, formatCount, formatPercent, textPairs } from '../../report/index.ts'
import { type Agreement, measureAgreement } from '../agreement.ts'
import { createCommand, defineAction } from '../command.ts'
import { limitView } from '../limit-view.ts'
import { loadPackedSource, type PackedSource } from '../load-model.ts'
import { wholeNumber } from '../option-values.ts'

interface DiffOptions {
  readonly data?: string
  readonly limit?: number
}

const usualImages = 1000

export function diffCommand(): Command {
  const command = createCommand('diff <before> <after>', {
    summary: 'show what changed from one .sterna file to another',
    description:
      'Show what changed from one .sterna file to another: the graph, bytes, zeros and ternary weights of every ' +
      'tensor and, with --data, how often the two give a test image the same class.',
    examples: ['diff old.sterna new.sterna', 'diff old.sterna new.sterna --data mnist:data --limit 200'],
  })
    .option('--data <spec>', 'mnist:DIR, cifar10:DIR or glyphs: run both on its test images')
    .option(
      '--limit <n>',
      `only the first n images, with --data (default: ${usualImages})`,
      wholeNumber('--limit', 1),
    )
  return defineAction<DiffOptions>(command, async (output, { data, limit }, one, other) => {
    if (limit !== undefined && data === undefined) {
      throw new SternaError('usage/option', '--limit: says how many images to run, and there are none', {
        hint: 'add --data SPEC',
      })
    }
    const before = loadPackedSource(one!, 'diff')
    const after = loadPackedSource(other!, 'diff')
    const diff = diffSterna(readOf(before), readOf(after))
    const dataset = data === undefined ? undefined : await openDataset(data)
    const agreement =
      dataset &&
      (await measureAgreement(
        output,
        before,
        after,
        dataset,
        limitView(viewAll(dataset.test), limit ?? usualImages),
      ))
    output.result(
      {
        files: [one, other],
        ...diff,
        ...(dataset &&
          agreement && { agreement: { ...agreement, data: { name: dataset.name, digest: dataset.digest } } }),
      },
      [diffText(diff), ...(dataset && agreement ? [agreementText(agreement, dataset.name)] : [])].join(
        '\n\n',
      ),
    )
  })
}

function readOf({ packed, account }: PackedSource) {
  return { model: packed, account }
}

function agreementText({ samples, equal, accuracy, largestDifference }: Agreement, data: string): string {
  const [before, after] = accuracy
  return textPairs([
    [
      'same class',
      `${formatPercent(equal / samples)} (${formatCount(equal)} of ${formatCount(samples)} ${data} test images)`,
    ],
    ['accuracy', `${formatPercent(before)} → ${formatPercent(after)}`],
    [
      'logits',
      largestDifference === undefined
        ? 'of different numbers of classes'
        : largestDifference === 0
          ? 'the same, bit for bit'
          : `differ by ${largestDifference.toPrecision(3)} at most`,
    ],
  ])
}
