/** `sterna inspect`. */
import type { Command } from 'commander'
import { describeModel } from 'sterna-runtime'
import { inspectText, reportPacked } from '../../report/index.ts'
import { createCommand, defineAction } from '../command.ts'
import { loadPackedSource } from '../load-model.ts'

export function inspectCommand(): Command {
  const command = createCommand('inspect <file>', {
    summary: 'show what a .sterna file holds and what running it costs',
    description:
      'Show what a .sterna file holds, layer by layer: shapes, zeros, magnitudes, entropy, bytes on disk (they ' +
      'add up to the file), and what one image costs: additions, multiplications, the kernel and why it.',
    examples: ['inspect digits.sterna', 'inspect digits.sterna --json'],
  })
  return defineAction<object>(command, async (output, _options, file) => {
    const { packed, account } = loadPackedSource(file!, 'inspect')
    const report = reportPacked(packed, account, describeModel(packed))
    output.result({ file, ...report, metadata: packed.metadata }, inspectText(report))
  })
}
