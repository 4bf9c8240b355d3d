/** `sterna bench start`. */
import type { Command } from 'commander'
import { randomPacked } from '../bench/inference-networks.ts'
import { installHint, openPeer } from '../bench/peer-packages.ts'
import { describeMachine, warnIfBusy } from '../bench/report.ts'
import { startTable, timeStarts } from '../bench/start-times.ts'
import { withRandomRanges } from '../bench/with-ranges.ts'
import { createCommand, defineAction } from '../command.ts'
import { loadPackedSource } from '../load-model.ts'
import { wholeNumber } from '../option-values.ts'

interface BenchStartOptions {
  readonly pairs: number
}

const peerNames = ['ort-node', 'ort-web'] as const
const usualZeros = 0.64

export function benchStartCommand(): Command {
  const command = createCommand('start [file]', {
    summary: 'time the first answer of fresh processes against other engines',
    description:
      'Time what lies between importing an engine and the first answer of a network, in fresh processes of Node, in ' +
      'turns: compiled by sterna export, from a .sterna file, and in ONNX Runtime, native and in WebAssembly, in ' +
      'float32. Without FILE the network is a ResNet-20 with 64 % zeros in integer arithmetic.',
    examples: ['bench start', 'bench start digits.sterna --pairs 5'],
  }).option('--pairs <n>', 'how many processes of each', wholeNumber('--pairs', 1, 1000), 11)
  return defineAction<BenchStartOptions>(command, async (output, { pairs }, file) => {
    warnIfBusy(output)
    const packed =
      file === undefined
        ? await withRandomRanges(randomPacked('resnet20', usualZeros))
        : loadPackedSource(file, 'bench start').packed
    const missing: (typeof peerNames)[number][] = []
    for (const name of peerNames) await openPeer(name, 1).catch(() => missing.push(name))
    const times = await timeStarts(packed, {
      peers: peerNames.filter(name => !missing.includes(name)),
      rounds: pairs,
      onRound: round => output.progress(`round ${round + 1} of ${pairs}`),
    })
    const command = `sterna bench start${file === undefined ? '' : ` ${file}`} --pairs ${pairs}`
    const notes = missing.map(name => `not installed: ${name}; ${installHint(name)}`)
    output.result(
      { command, machine: describeMachine(), pairs, network: packed.name, times },
      [startTable(times), '', ...notes, describeMachine(), command].join('\n'),
    )
  })
}
