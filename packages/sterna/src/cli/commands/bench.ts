/** `sterna bench`: its subcommands. */
import type { Command } from 'commander'
import { createCommand } from '../command.ts'
import { benchCodecCommand } from './bench-codec.ts'
import { benchEpochCommand } from './bench-epoch.ts'
import { benchInferCommand } from './bench-infer.ts'
import { benchMethodsCommand } from './bench-methods.ts'
import { benchStartCommand } from './bench-start.ts'
import { benchTrainCommand } from './bench-train.ts'

export function benchCommand(): Command {
  return createCommand('bench', {
    summary: 'time training steps, inference and coding on this machine',
    description:
      'Time training steps, inference and coding on this machine. `bench FILE` is `bench infer FILE`.',
    examples: ['bench infer', 'bench train', 'bench methods', 'bench digits.sterna'],
  })
    .addCommand(benchTrainCommand())
    .addCommand(benchMethodsCommand())
    .addCommand(benchEpochCommand())
    .addCommand(benchInferCommand(), { isDefault: true })
    .addCommand(benchStartCommand())
    .addCommand(benchCodecCommand())
}
