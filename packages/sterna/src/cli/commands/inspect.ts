/** `sterna inspect`. */
import type { Command } from 'commander'
import { describeModel } from 'sterna-runtime'
import { SternaError } from '../../core/index.ts'
import { inspectText, reportPacked } from '../../report/index.ts'
import { createCommand, defineAction } from '../command.ts'
import { loadModelSource } from '../load-model.ts'

export function inspectCommand(): Command {
  const command = createCommand('inspect <file>', {
    summary: 'show what a .sterna file holds and what running it costs',
    description:
      'Show what a .sterna file holds, layer by layer: shapes, zeros, magnitudes, entropy, bytes on disk (they ' +
      'add up to the file), and what one image costs: additions, multiplications, the kernel and why it.',
    examples: ['inspect digits.sterna', 'inspect digits.sterna --json'],
  })
  return defineAction<object>(command, async (output, _options, file) => {
    const source = loadModelSource(file!)
    if (source.kind !== 'sterna') {
      throw new SternaError('usage/input', `${file}: inspect reads .sterna files`, {
        hint: `pack it first: sterna pack ${file} -o FILE.sterna`,
      })
    }
    const report = reportPacked(source.packed, source.account, describeModel(source.packed))
    output.result({ file, ...report, metadata: source.packed.metadata }, inspectText(report))
  })
}
