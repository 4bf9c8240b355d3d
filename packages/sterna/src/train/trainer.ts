/** The training loop: phases of epochs of steps, validation, selection, checkpoints. */
import { Random, SternaError, sizeOf, type Tensor, tensor } from '../core/index.ts'
import { createLoader, type Dataset, type Loader, splitDataset } from '../data/index.ts'
import type { Engine, Executable } from '../engine/index.ts'
import type { Model } from '../graph/index.ts'
import { quantizeActivations } from '../graph/passes/index.ts'
import { createQuantizer, type TernaryWeight } from '../ternary/index.ts'
import type { Checkpoint, TrainProgress } from './checkpoint.ts'
import { changedOptions, checkConfig, type TrainConfig } from './config.ts'
import { createEnginePredictor, type EnginePredictor, evaluate } from './evaluate.ts'
import type { EpochRecord, TrainEvent } from './events.ts'
import { guardLoss, guardTensors } from './guard.ts'
import {
  freezeNetwork,
  materialize,
  type QuantizedLayers,
  quantizeNetwork,
  stateKey,
} from './quantized-network.ts'
import { scheduleFactor } from './schedule.ts'
import { activationRanges, buildStep, type StepProgram, stepInputs, stepScalars } from './step-graph.ts'

export interface TrainOptions {
  readonly config: TrainConfig
  /** The network to start from: fresh from the zoo, or a float parent. */
  readonly model: Model
  readonly dataset: Dataset
  readonly engine: Engine
  /** Continues here instead of at the start. */
  readonly resume?: Checkpoint
  readonly onEvent?: (event: TrainEvent) => void
  /** Called at the end of every epoch and when stopped; must not return before the checkpoint is safe. */
  readonly save?: (checkpoint: Checkpoint) => Promise<void>
  /** Stops after the step in progress, with a checkpoint. */
  readonly signal?: AbortSignal
}

export interface TrainedNetwork {
  /** The network as it computes, quantized weights at their levels. */
  readonly model: Model
  /** The levels of each quantized weight. */
  readonly ternary: ReadonlyMap<string, TernaryWeight>
  /** Latent weights and quantizer state, to continue or to start another method from. */
  readonly latent: ReadonlyMap<string, Tensor>
}

export type TrainResult =
  | {
      readonly status: 'done'
      readonly network: TrainedNetwork
      readonly history: readonly EpochRecord[]
      readonly selected: EpochRecord
    }
  | { readonly status: 'stopped' }

const VALIDATION_BATCH = 250
const PROGRESS_INTERVAL_MS = 200

/** Trains as `config` says. The same config, data and starting network give the same bits on the CPU engine. */
export async function train(options: TrainOptions): Promise<TrainResult> {
  checkConfig(options.config)
  const run = new TrainingRun(options)
  try {
    return await run.run()
  } finally {
    await run.release()
  }
}

class TrainingRun {
  readonly #options: TrainOptions
  readonly #config: TrainConfig
  readonly #split: ReturnType<typeof splitDataset>
  readonly #startedMs = performance.now()
  #layers: QuantizedLayers
  /** Parameters and quantizer state at the start of the phase. */
  #tensors: Map<string, Tensor>
  #predictor: EnginePredictor | undefined
  #executable: Executable | undefined
  #progress: TrainProgress
  #best: ReadonlyMap<string, Tensor> = new Map()

  constructor(options: TrainOptions) {
    const { config, model, dataset, resume } = options
    this.#options = options
    this.#config = config
    this.#split = splitDataset(dataset, { validation: config.validation, seed: config.seed })
    const quantizer = createQuantizer(config.method, config.methodOptions)
    const { layers, state } = quantizeNetwork(model, quantizer, config.layers)
    this.#layers = layers
    this.#tensors = new Map([...model.parameters, ...state])
    this.#progress = {
      phase: 0,
      position: { epoch: 0, batch: 0 },
      sums: { loss: 0, correct: 0, samples: 0 },
      firstLoss: null,
      history: [],
      bestRecord: null,
    }
    if (resume !== undefined) this.#continueFrom(resume)
  }

  #continueFrom(checkpoint: Checkpoint): void {
    if (checkpoint.dataDigest !== this.#options.dataset.digest) {
      throw new SternaError(
        'train/checkpoint',
        `the run was started on other data (digest ${checkpoint.dataDigest}, this data set has ${this.#options.dataset.digest})`,
      )
    }
    const changed = changedOptions(checkpoint.config, this.#config)
    if (changed.length > 0) {
      throw new SternaError(
        'train/checkpoint',
        `the checkpoint was written under another configuration: ${changed.join(', ')} differ${changed.length === 1 ? 's' : ''}`,
        { hint: 'restore the configuration, or start a new run from the weights' },
      )
    }
    // Only the structure is needed here: which layers are frozen does not depend on their values.
    if (checkpoint.progress.phase > 0) this.#layers = freezeNetwork(this.#layers, this.#tensors).layers
    this.#tensors = new Map(checkpoint.tensors)
    this.#progress = checkpoint.progress
    this.#best = checkpoint.best
  }

  async run(): Promise<TrainResult> {
    const { onEvent, engine, model, resume } = this.#options
    const phases = [
      { phase: 'train', epochs: this.#config.epochs },
      { phase: 'frozen', epochs: this.#config.frozenEpochs },
    ] as const
    onEvent?.({
      kind: 'start',
      epochs: this.#config.epochs + this.#config.frozenEpochs,
      stepsPerEpoch: this.#createLoader().batchesPerEpoch,
      ...(resume && { resumedAt: describePosition(this.#progress) }),
    })
    const inference = quantizeActivations(model.graph, activationRanges(model.graph, this.#config))
    this.#predictor = await createEnginePredictor(engine, inference, VALIDATION_BATCH)
    for (const [index, { phase, epochs }] of phases.entries()) {
      if (index < this.#progress.phase || epochs === 0) continue
      if (index > this.#progress.phase) this.#enterFrozenPhase()
      const finished = await this.#runPhase(phase, epochs)
      if (!finished) return { status: 'stopped' }
    }
    return this.#finish()
  }

  async release(): Promise<void> {
    await this.#executable?.release()
    await this.#predictor?.release()
  }

  /** Phase B starts from the best network of phase A, with a fresh optimiser. */
  #enterFrozenPhase(): void {
    const frozen = freezeNetwork(this.#layers, this.#best.size > 0 ? this.#best : this.#tensors)
    this.#layers = frozen.layers
    this.#tensors = frozen.tensors
    this.#best = new Map()
    this.#progress = {
      phase: 1,
      position: { epoch: 0, batch: 0 },
      sums: { loss: 0, correct: 0, samples: 0 },
      firstLoss: null,
      history: this.#progress.history,
      bestRecord: null,
    }
  }

  /** Runs what is left of a phase; false when stopped by the signal. */
  async #runPhase(phase: EpochRecord['phase'], epochs: number): Promise<boolean> {
    const { engine, model, onEvent, signal } = this.#options
    const step = buildStep(model.graph, this.#layers, this.#config)
    this.#executable = await engine.load(step.program)
    onEvent?.({ kind: 'phase', phase, epochs, fallbacks: this.#executable.fallbacks })
    await this.#executable.setState(this.#startingState(step))
    const loader = this.#createLoader()
    loader.seek(this.#progress.position)
    while (this.#progress.position.epoch < epochs) {
      const epochStartMs = performance.now()
      const finished = await this.#runEpoch(phase, epochs, step, loader)
      if (finished) await this.#endEpoch(phase, epochs, loader, epochStartMs)
      else await this.#save(await this.#guardedState())
      if (!finished || signal?.aborted) return false
    }
    await this.#executable.release()
    this.#executable = undefined
    return true
  }

  /** The phase's tensors with optimiser tensors at zero where there are none yet. */
  #startingState(step: StepProgram): Map<string, Tensor> {
    const wanted = step.program.graph.parameters.map(parameter => parameter.name)
    return new Map(
      wanted.map(name => {
        const value = this.#tensors.get(name) ?? step.moments.get(name)
        if (value === undefined)
          throw new SternaError('train/checkpoint', `the checkpoint has no tensor "${name}"`)
        return [name, value]
      }),
    )
  }

  async #runEpoch(
    phase: EpochRecord['phase'],
    epochs: number,
    step: StepProgram,
    loader: Loader,
  ): Promise<boolean> {
    const { onEvent, signal } = this.#options
    const { epoch } = loader.position
    let { loss, correct, samples } = this.#progress.sums
    let reportedMs = performance.now()
    let reportedStep = loader.position.batch
    let pending: { readonly batch: number; readonly outputs: Promise<Record<string, Tensor>> } | undefined

    const settle = async () => {
      if (pending === undefined) return
      const { batch, outputs } = pending
      pending = undefined
      const found = await outputs
      const stepLoss = found[step.outputs.loss]!.data[0] as number
      const firstLoss = this.#progress.firstLoss ?? stepLoss
      this.#progress = { ...this.#progress, firstLoss }
      const where = describePosition({ phase: this.#progress.phase, position: { epoch, batch } })
      await guardLoss(stepLoss, firstLoss, where, () => this.#executable!.getState())
      loss += stepLoss * this.#config.batchSize
      correct += found[step.outputs.correct]!.data[0] as number
      samples += this.#config.batchSize
      const nowMs = performance.now()
      if (nowMs - reportedMs >= PROGRESS_INTERVAL_MS) {
        onEvent?.({
          kind: 'progress',
          phase,
          epoch: epoch + 1,
          step: batch + 1,
          stepsPerEpoch: loader.batchesPerEpoch,
          loss: loss / samples,
          stepMs: (nowMs - reportedMs) / (batch + 1 - reportedStep),
        })
        reportedMs = nowMs
        reportedStep = batch + 1
      }
    }

    while (loader.position.epoch === epoch && !signal?.aborted) {
      const batch = await loader.next()
      const outputs = this.#executable!.run(this.#inputs(step, batch, loader.batchesPerEpoch, epochs))
      // The rejection reaches us through settle(); until then it must not count as unhandled.
      outputs.catch(() => undefined)
      await settle()
      pending = { batch: batch.batch, outputs }
    }
    await settle()
    this.#progress = { ...this.#progress, position: loader.position, sums: { loss, correct, samples } }
    return loader.position.epoch > epoch
  }

  #inputs(
    step: StepProgram,
    batch: Awaited<ReturnType<Loader['next']>>,
    stepsPerEpoch: number,
    epochs: number,
  ): Record<string, Tensor> {
    const config = this.#config
    const index = batch.epoch * stepsPerEpoch + batch.batch
    const factor = scheduleFactor(config.schedule, index, stepsPerEpoch, epochs)
    const inputs: Record<string, Tensor> = {
      [stepInputs.images]: tensor('f32', [config.batchSize, ...this.#options.dataset.imageShape], batch.x),
      [stepInputs.oneHot]: oneHot(batch.labels, this.#options.dataset.classes.length),
      ...stepScalars(config, index, factor),
    }
    for (const { input, shape, ratio } of step.dropoutMasks) {
      const random = new Random(config.seed).fork(
        'dropout',
        input,
        this.#progress.phase,
        batch.epoch,
        batch.batch,
      )
      const kept = 1 / (1 - ratio)
      const data = Float32Array.from({ length: sizeOf(shape) }, () => (random.uniform() < ratio ? 0 : kept))
      inputs[input] = tensor('f32', shape, data)
    }
    return inputs
  }

  async #endEpoch(
    phase: EpochRecord['phase'],
    epochs: number,
    loader: Loader,
    epochStartMs: number,
  ): Promise<void> {
    const { position, sums, history, bestRecord } = this.#progress
    const state = await this.#guardedState()
    const { model, ternary } = materialize(this.#options.model.graph, this.#layers, state)
    const lastStep = position.epoch * loader.batchesPerEpoch - 1
    const factor = scheduleFactor(this.#config.schedule, lastStep, loader.batchesPerEpoch, epochs)
    const record: EpochRecord = {
      phase,
      epoch: position.epoch,
      learningRate: this.#config.learningRate.rest * factor,
      trainLoss: sums.loss / sums.samples,
      trainAccuracy: sums.correct / sums.samples,
      ...(await this.#validate(model)),
      ...(ternary.size > 0 && { zeros: zeroFraction(ternary) }),
    }
    const isBest = this.#config.select === 'last' || bestRecord === null || isBetter(record, bestRecord)
    if (isBest) this.#best = this.#withoutMoments(state)
    this.#progress = {
      ...this.#progress,
      sums: { loss: 0, correct: 0, samples: 0 },
      history: [...history, record],
      bestRecord: isBest ? record : bestRecord,
    }
    await this.#save(state)
    this.#options.onEvent?.({ kind: 'epoch', record, elapsedMs: performance.now() - epochStartMs, isBest })
  }

  async #validate(model: Model): Promise<Pick<EpochRecord, 'validationAccuracy' | 'validationLoss'>> {
    const { validation } = this.#split
    if (validation.count === 0) return {}
    const { dataset } = this.#options
    await this.#predictor!.setParameters(model.parameters)
    const { accuracy, loss } = await evaluate(
      this.#predictor!.predict,
      { images: validation, imageShape: dataset.imageShape, normalization: this.#config.normalization },
      { loss: this.#config.loss, batchSize: VALIDATION_BATCH },
    )
    return { validationAccuracy: accuracy, validationLoss: loss }
  }

  /** All tensors as they are now: the step whose loss was the last to be seen may have broken them. */
  async #guardedState(): Promise<Map<string, Tensor>> {
    const state = await this.#executable!.getState()
    guardTensors(state, `before ${describePosition(this.#progress)}`)
    return state
  }

  /** Parameters and quantizer state. */
  #withoutMoments(state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
    const names = this.#options.model.graph.parameters.map(parameter => parameter.name)
    for (const [name, layer] of this.#layers)
      names.push(...layer.stateNames.map(short => stateKey(name, short)))
    return new Map(names.map(name => [name, state.get(name)!]))
  }

  async #save(tensors: ReadonlyMap<string, Tensor>): Promise<void> {
    const { save, dataset } = this.#options
    await save?.({
      config: this.#config,
      dataDigest: dataset.digest,
      progress: this.#progress,
      tensors,
      best: this.#best,
    })
  }

  #createLoader(): Loader {
    const { dataset } = this.#options
    const { augmentation, normalization, batchSize, seed } = this.#config
    return createLoader({
      images: this.#split.train,
      imageShape: dataset.imageShape,
      normalization,
      batchSize,
      // The frozen phase sees the images in orders of its own.
      seed: seed + this.#progress.phase * 0x1_0000,
      shuffle: true,
      augmentation,
      dropLast: true,
    })
  }

  #finish(): TrainResult {
    const { history, bestRecord } = this.#progress
    const { model, ternary } = materialize(this.#options.model.graph, this.#layers, this.#best)
    const latent = new Map(this.#best)
    // A frozen layer's own latent tensor is its assignment; another method starts from its weight.
    if (this.#progress.phase > 0)
      for (const name of ternary.keys()) latent.set(name, model.parameters.get(name)!)
    const selected = bestRecord!
    this.#options.onEvent?.({ kind: 'done', selected, elapsedMs: performance.now() - this.#startedMs })
    return { status: 'done', network: { model, ternary, latent }, history, selected }
  }
}

/** By validation accuracy, then by validation loss. */
function isBetter(a: EpochRecord, b: EpochRecord): boolean {
  const [accuracyA, accuracyB] = [a.validationAccuracy ?? 0, b.validationAccuracy ?? 0]
  if (accuracyA !== accuracyB) return accuracyA > accuracyB
  return (a.validationLoss ?? Number.POSITIVE_INFINITY) < (b.validationLoss ?? Number.POSITIVE_INFINITY)
}

function zeroFraction(ternary: ReadonlyMap<string, TernaryWeight>): number {
  let zeros = 0
  let total = 0
  for (const { assignment } of ternary.values()) {
    for (const sign of assignment) if (sign === 0) zeros++
    total += assignment.length
  }
  return zeros / total
}

function oneHot(labels: Int32Array, classes: number): Tensor {
  const data = new Float32Array(labels.length * classes)
  labels.forEach((label, row) => {
    if (label >= classes)
      throw new SternaError('data/invalid', `label ${label}, expected less than ${classes}`)
    data[row * classes + label] = 1
  })
  return tensor('f32', [labels.length, classes], data)
}

function describePosition({ phase, position }: Pick<TrainProgress, 'phase' | 'position'>): string {
  return `${phase === 0 ? '' : 'frozen phase, '}epoch ${position.epoch + 1}, step ${position.batch + 1}`
}
