/** `sterna pack`. */
import type { Command } from 'commander'
import { writeFileAtomic } from '../../core/index.node.ts'
import { SternaError } from '../../core/index.ts'
import { packModel } from '../../pack/index.ts'
import { formatBytes, formatTimes, packTable } from '../../report/index.ts'
import { createCommand, defineAction } from '../command.ts'
import { loadModelSource } from '../load-model.ts'
import { addNormalizationOptions, type NormalizationOptions } from '../normalization-options.ts'
import { oneOf } from '../option-values.ts'
import { packedMetadata } from '../packed-metadata.ts'

interface PackCommandOptions extends NormalizationOptions {
  readonly output: string
  readonly model?: string
  readonly dense: 'f16' | 'i8'
}

export function packCommand(): Command {
  const command = createCommand('pack <model>', {
    summary: 'write a run, an ONNX or a weights file as a small .sterna file',
    description:
      'Write a .sterna file: batch norm folded, dead channels dropped, the signs of ternary layers range-coded, ' +
      'their magnitudes in 16 bits. MODEL is a run directory, an .onnx file, or a weights file with --model NAME; tensors ' +
      'that hold three values are recognised as ternary.',
    examples: [
      'pack runs/ec2t -o digits.sterna',
      'pack resnet20_ec2t.pt --model resnet20 --mean 125.3,123,113.9@255 --std 63,62.1,66.7@255 -o resnet20.sterna',
    ],
  })
    .requiredOption('-o, --output <file>', 'the .sterna file to write')
    .option('--model <name>', 'which network a weights file is for')
    .option(
      '--dense <storage>',
      'f16 or i8: how layers that are not ternary are stored',
      oneOf('--dense', ['f16', 'i8']),
      'f16',
    )
  addNormalizationOptions(command)
  return defineAction<PackCommandOptions>(command, async (output, options, path) => {
    if (!options.output.toLowerCase().endsWith('.sterna')) {
      throw new SternaError(
        'usage/option',
        `--output ${options.output}: expected a name that ends in .sterna`,
        {
          hint: 'the other commands tell a packed file by that ending',
        },
      )
    }
    const source = loadModelSource(path!, options.model)
    if (source.kind === 'sterna') {
      throw new SternaError('usage/input', `${path} is packed already`, {
        hint: 'pack the run or the weights file it was made from',
      })
    }
    const packed = packModel(source.model, source.ternary, {
      dense: options.dense,
      metadata: packedMetadata(source, options),
    })
    writeFileAtomic(options.output, packed.bytes)
    const { report } = packed
    const line = `wrote ${options.output}: ${formatBytes(report.bytes)}, ${formatTimes(report.ratio)} smaller than float32 (${formatBytes(report.float32Bytes)})`
    output.result({ file: options.output, ...report }, `${packTable(report)}\n\n${line}`)
  })
}
