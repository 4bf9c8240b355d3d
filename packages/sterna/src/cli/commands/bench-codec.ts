/** `sterna bench codec`. */
import type { Command } from 'commander'
import type { PackedModel, TernaryTensor } from 'sterna-runtime'
import { Random, SternaError } from '../../core/index.ts'
import {
  type CodingMeasurement,
  detectTernary,
  measureCodings,
  packModel,
  storedAssignment,
  writeSterna,
} from '../../pack/index.ts'
import { formatBytes, formatCount, formatPercent, textTable } from '../../report/index.ts'
import { createCommand, defineAction } from '../command.ts'
import { type FloatSource, loadModelSource } from '../load-model.ts'
import { wholeNumber } from '../option-values.ts'

interface BenchCodecOptions {
  readonly model?: string
  readonly milliseconds: number
}

export function benchCodecCommand(): Command {
  const command = createCommand('codec [model]', {
    summary: 'measure the size and speed of the profiles of .sterna files',
    description:
      'Measure what each profile of .sterna files makes of the ternary layers of MODEL (a .sterna file, a run, an ' +
      'ONNX file, or a weights file with --model): bytes against the order-0 entropy, weights coded and decoded a ' +
      'second in one thread. Without MODEL, on random weights with 20 to 99 % zeros.',
    examples: [
      'bench codec',
      'bench codec digits.sterna',
      'bench codec resnet20.safetensors --model resnet20',
    ],
  })
    .option('--model <name>', 'which network a weights file is for')
    .option('--milliseconds <n>', 'how long each is repeated', wholeNumber('--milliseconds', 1, 60_000), 300)
  return defineAction<BenchCodecOptions>(command, async (output, { model, milliseconds }, file) => {
    if (file === undefined) {
      const results = [0.2, 0.5, 0.8, 0.9, 0.95, 0.99].map(zeros => {
        output.progress(`${formatPercent(zeros, 0)} zeros`)
        return { zeros, ...measureCodings([randomLayer(zeros)], milliseconds) }
      })
      const text = results.map(
        result => `512×1024 random weights, ${formatPercent(result.zeros, 0)} zeros\n${speedTable(result)}`,
      )
      output.result({ results }, text.join('\n\n'))
      return
    }
    const source = loadModelSource(file, model)
    const packed = source.kind === 'sterna' ? source.packed : packSource(source)
    const layers = source.kind === 'sterna' ? storedLayers(packed) : ternaryLayers(source)
    if (layers.length === 0) throw new SternaError('usage/input', `${file}: no layer of it is ternary`)
    output.progress('measuring')
    const measured = measureCodings(layers, milliseconds)
    const files = measured.profiles.map(({ profile }) => ({
      profile,
      bytes: writeSterna(packed, profile).length,
    }))
    const lines = [
      `${file}: ${layers.length} ternary layers, ${formatCount(measured.weights)} weights`,
      speedTable(measured),
      '',
      ...files.map(({ profile, bytes }) => `whole file, ${profile}: ${formatBytes(bytes)}`),
    ]
    output.result({ file, ...measured, files }, lines.join('\n'))
  })
}

/** The float layers that are ternary, before batch norm is folded and dead channels are dropped. */
function ternaryLayers({ model, ternary }: FloatSource): readonly TernaryTensor[] {
  return [...model.parameters].flatMap(([name, tensor]) => {
    const weight = ternary.get(name) ?? (tensor.shape.length > 1 ? detectTernary(tensor) : undefined)
    return weight === undefined ? [] : [{ kind: 'ternary', ...weight } as const]
  })
}

/** The ternary layers as they lie in the file: with the signs before batch norm turned them. */
function storedLayers(packed: PackedModel): readonly TernaryTensor[] {
  return [...packed.tensors.values()].flatMap(tensor => {
    return tensor.kind === 'ternary' ? [{ ...tensor, assignment: storedAssignment(tensor) }] : []
  })
}

function packSource({ model, ternary }: FloatSource): PackedModel {
  return packModel(model, ternary, { dense: 'f16', metadata: {} }).packed
}

function randomLayer(zeros: number): TernaryTensor {
  const random = new Random(1)
  const shape = [512, 1024]
  const assignment = Int8Array.from({ length: 512 * 1024 }, () =>
    random.uniform() < zeros ? 0 : random.below(2) * 2 - 1,
  )
  const one = Float32Array.of(1)
  return { kind: 'ternary', shape, assignment, positive: one, negative: one }
}

function speedTable({ profiles, entropyBytes, copiedPerSecond }: CodingMeasurement): string {
  const millions = (rate: number) => (rate / 1e6).toFixed(rate < 1e7 ? 1 : 0)
  const rows = profiles.map(({ profile, bytes, ratio, encodedPerSecond, decodedPerSecond }) => [
    profile,
    formatCount(bytes),
    ratio.toFixed(4),
    millions(encodedPerSecond),
    millions(decodedPerSecond),
    (decodedPerSecond / copiedPerSecond).toPrecision(2),
  ])
  return textTable(
    [
      { title: 'profile', align: 'left' },
      { title: 'bytes', align: 'right' },
      { title: 'of order-0', align: 'right' },
      { title: 'coded M/s', align: 'right' },
      { title: 'decoded M/s', align: 'right' },
      { title: 'of a copy', align: 'right' },
    ],
    rows,
    [
      ['order-0 entropy', formatCount(Math.round(entropyBytes))],
      ['a copy, M/s', '', '', '', millions(copiedPerSecond)],
    ],
  )
}
