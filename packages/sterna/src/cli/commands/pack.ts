/** `sterna pack`. */
import type { Command } from 'commander'
import { writeFileAtomic } from '../../core/index.node.ts'
import { SternaError } from '../../core/index.ts'
import { createEngine } from '../../engine/index.node.ts'
import { type PackedToFit, type Profile, packModel, packToFit, withActivations } from '../../pack/index.ts'
import { formatBytes, formatTimes, packTable } from '../../report/index.ts'
import {
  addCalibrationOptions,
  type CalibrationData,
  type CalibrationOptions,
  type CalibrationReport,
  calibrationLines,
  checkCalibration,
  expectCalibration,
  findRanges,
  openCalibrationData,
} from '../calibration.ts'
import { createCommand, defineAction } from '../command.ts'
import { type FloatSource, loadModelSource } from '../load-model.ts'
import { addNormalizationOptions } from '../normalization-options.ts'
import { oneOf, wholeNumber } from '../option-values.ts'
import type { Output } from '../output.ts'
import {
  addMetadataOptions,
  type MetadataOptions,
  packedMetadata,
  readPreviewFile,
} from '../packed-metadata.ts'

interface PackCommandOptions extends MetadataOptions, CalibrationOptions {
  readonly output: string
  readonly model?: string
  readonly profile?: Profile
  readonly dense?: 'f16' | 'i8'
  readonly sortChannels?: true
  readonly targetBytes?: number
  readonly preview?: string
}

const profiles = ['plain', 'fast', 'small', 'max'] as const satisfies readonly Profile[]

export function packCommand(): Command {
  const command = createCommand('pack <model>', {
    summary: 'write a run, an ONNX or a weights file as a small .sterna file',
    description:
      'Write a .sterna file: batch norm folded, dead channels dropped, weights entropy-coded, ' +
      'magnitudes and biases in 16 bits. MODEL is a run directory, an .onnx file, or a weights file with --model NAME; tensors ' +
      'that hold three values are recognised as ternary.',
    examples: [
      'pack runs/ec2t -o digits.sterna',
      'pack runs/ec2t -o digits.sterna --target-bytes 14000',
      'pack runs/ec2t -o digits.sterna --calibrate mnist:data',
      'pack runs/ec2t -o digits.sterna --licence MIT --preview digits.png',
      'pack resnet20_ec2t.pt --model resnet20 --mean 125.3,123,113.9@255 --std 63,62.1,66.7@255 -o resnet20.sterna',
    ],
  })
    .requiredOption('-o, --output <file>', 'the .sterna file to write')
    .option('--model <name>', 'which network a weights file is for')
    .option(
      '--profile <name>',
      'plain, fast (to decode), small or max (a little smaller, several times slower) (default: small)',
      oneOf('--profile', profiles),
    )
    .option(
      '--dense <storage>',
      'f16 or i8: how layers that are not ternary are stored (default: f16)',
      oneOf('--dense', ['f16', 'i8']),
    )
    .option('--sort-channels', 'put channels into the order that packs best, where any is better')
    .option(
      '--target-bytes <n>',
      'choose the three above so that the file takes at most n bytes, at the smallest loss',
      wholeNumber('--target-bytes', 1),
    )
  addMetadataOptions(addNormalizationOptions(addCalibrationOptions(command)))
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
    expectCalibration(options, source)
    const { packed: file, calibration } = await packFile(output, source, options)
    const { dense, profile, sortChannels, ...packed } = file
    writeFileAtomic(options.output, packed.bytes)
    const { report } = packed
    const line = `wrote ${options.output}: ${formatBytes(report.bytes)}, ${formatTimes(report.ratio)} smaller than float32 (${formatBytes(report.float32Bytes)})`
    const choice =
      options.targetBytes === undefined
        ? []
        : [`fits with --profile ${profile} --dense ${dense}${sortChannels ? ' --sort-channels' : ''}`]
    output.result(
      { file: options.output, profile, dense, sortChannels, ...report, ...(calibration && { calibration }) },
      [packTable(report), '', ...choice, ...(calibration ? calibrationLines(calibration) : []), line].join(
        '\n',
      ),
    )
  })
}

interface PackedFile {
  readonly packed: PackedToFit
  readonly calibration?: CalibrationReport
}

async function packFile(
  output: Output,
  source: FloatSource,
  options: PackCommandOptions,
): Promise<PackedFile> {
  if (options.calibrate === undefined) return { packed: packSource(source, options) }
  const data = await openCalibrationData(source, options)
  const packed = data.isTrained
    ? packSource(source, options)
    : await packCalibrated(output, source, options, data)
  return { packed, calibration: await checkCalibration(output, packed.packed, data, options) }
}

async function packCalibrated(
  output: Output,
  source: FloatSource,
  options: PackCommandOptions,
  { split, set }: CalibrationData,
): Promise<PackedToFit> {
  const engine = await createEngine()
  const calibrated = async (storage: PackCommandOptions) => {
    const plain = packSource(source, storage)
    const ranges = await findRanges(output, plain.packed, engine, { ...set, images: split.train }, options)
    const packed = { ...plain, ...withActivations(source.model, plain.packed, ranges, plain.profile) }
    return { packed, rangeBytes: packed.bytes.length - plain.bytes.length }
  }
  try {
    const { packed, rangeBytes } = await calibrated(options)
    const { targetBytes } = options
    if (targetBytes === undefined || packed.bytes.length <= targetBytes) return packed
    // The weights fit, but not together with the ranges, whose size does not depend on how weights are stored.
    return (await calibrated({ ...options, targetBytes: targetBytes - rangeBytes })).packed
  } finally {
    await engine.close()
  }
}

function packSource(source: FloatSource, options: PackCommandOptions): PackedToFit {
  const preview = options.preview === undefined ? undefined : readPreviewFile(options.preview)
  const activations = source.config?.activations
  const facts = {
    metadata: packedMetadata(source, options),
    ...(preview && { preview }),
    ...(activations && { activations: new Map(Object.entries(activations)) }),
  }
  const { targetBytes, profile = 'small', dense = 'f16', sortChannels = false } = options
  if (targetBytes === undefined) {
    const storage = { dense, profile, sortChannels }
    return { ...packModel(source.model, source.ternary, { ...storage, ...facts }), ...storage }
  }
  for (const [option, name] of [
    ['profile', 'profile'],
    ['dense', 'dense'],
    ['sortChannels', 'sort-channels'],
  ] as const) {
    if (options[option] === undefined) continue
    throw new SternaError('usage/option', `--${name}: --target-bytes chooses it`, {
      hint: 'give one or the other',
    })
  }
  return packToFit(source.model, source.ternary, facts, targetBytes)
}
