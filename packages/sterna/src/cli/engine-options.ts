/** --device, --threads, --lowering and --spin. */
import type { Command } from 'commander'
import type { EngineOptions } from '../engine/index.node.ts'
import { oneOf, wholeNumber } from './option-values.ts'

export type EngineChoice = Pick<EngineOptions, 'device' | 'threads' | 'lowering' | 'spin'>

export function addEngineOptions(command: Command): Command {
  return command
    .option(
      '--device <name>',
      'auto, cpu, webgpu or cuda (default: auto, which says what it chose and why, and never takes cuda)',
      oneOf('--device', ['auto', 'cpu', 'webgpu', 'cuda']),
    )
    .option(
      '--threads <n>',
      'threads of the CPU kernels (default: all cores); part of what decides the last bits',
      wholeNumber('--threads', 1, 1024),
    )
    .option(
      '--lowering <name>',
      'auto, standard or fast: how graphs are written for the device (default: auto, fast on a CPU that passes its self-test)',
      oneOf('--lowering', ['auto', 'standard', 'fast']),
    )
    .option(
      '--spin',
      'let idle threads of the CPU kernels spin: a little faster on a quiet machine, far slower on a busy one',
    )
}
