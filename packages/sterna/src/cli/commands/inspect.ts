/** `sterna inspect`. */
import type { Command } from 'commander'
import { describeModel } from 'sterna-runtime'
import { writeFileAtomic } from '../../core/index.node.ts'
import { SternaError } from '../../core/index.ts'
import { codingText, formatBytes, inspectText, reportCodings, reportPacked } from '../../report/index.ts'
import { createCommand, defineAction } from '../command.ts'
import { findCompressors } from '../compressors.ts'
import { loadPackedSource } from '../load-model.ts'

interface InspectOptions {
  readonly savePreview?: string
  readonly codings?: true
}

export function inspectCommand(): Command {
  const command = createCommand('inspect <file>', {
    summary: 'show what a .sterna file holds and what running it costs',
    description:
      'Show what a .sterna file holds, layer by layer: shapes, zeros, magnitudes, entropy, bytes on disk (they ' +
      'add up to the file), and what one image costs: additions, multiplications, the kernel and why it.',
    examples: ['inspect digits.sterna', 'inspect digits.sterna --codings', 'inspect digits.sterna --json'],
  })
    .option(
      '--codings',
      'compare the ternary layers with their entropy, other formats, gzip, brotli, and xz where there is one',
    )
    .option('--save-preview <file>', 'write the preview that the file holds to FILE')
  return defineAction<InspectOptions>(command, async (output, { codings, savePreview }, file) => {
    const { packed, account } = loadPackedSource(file!, 'inspect')
    const { preview } = packed
    if (savePreview !== undefined) {
      if (preview === undefined) throw new SternaError('usage/input', `${file}: it holds no preview`)
      writeFileAtomic(savePreview, preview.bytes)
    }
    const report = reportPacked(packed, account, await describeModel(packed))
    const compared = codings && reportCodings(packed, account, findCompressors())
    output.result(
      {
        file,
        ...report,
        metadata: packed.metadata,
        ...(preview && { preview: { mediaType: preview.mediaType, bytes: preview.bytes.length } }),
        ...(compared && { codings: compared }),
      },
      [
        inspectText(report),
        ...(compared ? [codingText(compared)] : []),
        ...(savePreview === undefined
          ? []
          : [`wrote ${savePreview}: ${preview!.mediaType}, ${formatBytes(preview!.bytes.length)}`]),
      ].join('\n\n'),
    )
  })
}
