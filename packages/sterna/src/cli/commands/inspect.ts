/** `sterna inspect`. */
import type { Command } from 'commander'
import { describeModel } from 'sterna-runtime'
import { codingText, inspectText, reportCodings, reportPacked } from '../../report/index.ts'
import { createCommand, defineAction } from '../command.ts'
import { findCompressors } from '../compressors.ts'
import { loadPackedSource } from '../load-model.ts'

interface InspectOptions {
  readonly codings?: true
}

export function inspectCommand(): Command {
  const command = createCommand('inspect <file>', {
    summary: 'show what a .sterna file holds and what running it costs',
    description:
      'Show what a .sterna file holds, layer by layer: shapes, zeros, magnitudes, entropy, bytes on disk (they ' +
      'add up to the file), and what one image costs: additions, multiplications, the kernel and why it.',
    examples: ['inspect digits.sterna', 'inspect digits.sterna --codings', 'inspect digits.sterna --json'],
  }).option(
    '--codings',
    'compare the ternary layers with their entropy, other formats, gzip, brotli, and xz where there is one',
  )
  return defineAction<InspectOptions>(command, async (output, { codings }, file) => {
    const { packed, account } = loadPackedSource(file!, 'inspect')
    const report = reportPacked(packed, account, describeModel(packed))
    const compared = codings && reportCodings(packed, account, findCompressors())
    output.result(
      { file, ...report, metadata: packed.metadata, ...(compared && { codings: compared }) },
      [inspectText(report), ...(compared ? [codingText(compared)] : [])].join('\n\n'),
    )
  })
}
