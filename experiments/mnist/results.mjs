/** Evaluates finished runs once on the test set, unpacked and packed, and writes the result tables. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  createEngine,
  createEnginePredictor,
  evaluate,
  loadRun,
  measureLayers,
  openDataset,
  packModel,
  toModel,
} from 'sterna/node'
import { load } from 'sterna-runtime'

const BATCH = 250

/** What the run reached on the test set: measured once and kept beside the run. */
async function resultOf(engine, dataset, job) {
  const kept = join(job.directory, 'test.json')
  if (!existsSync(kept)) {
    writeFileSync(kept, `${JSON.stringify(await measure(engine, dataset, job), null, 2)}\n`)
  }
  return JSON.parse(readFileSync(kept, 'utf8'))
}

/** One network on the whole test set. Accuracies in percent. */
async function measure(engine, dataset, { config, seed, directory }) {
  const run = loadRun(directory)
  const set = {
    images: dataset.test,
    imageShape: dataset.imageShape,
    normalization: run.config.normalization,
  }
  const options = { loss: run.config.loss, batchSize: BATCH }
  const unpacked = await onEngine(engine, run.model, set, options)

  const { normalization } = run.config
  const packed = packModel(run.model, run.ternary, {
    dense: 'f16',
    metadata: { normalization, classes: dataset.classes },
  })
  const file = join(directory, 'model.sterna')
  writeFileSync(file, packed.bytes)
  const sameWeights = await onEngine(engine, toModel(packed.packed), set, options)
  const session = await load(packed.bytes)
  const logits = []
  const runtime = await evaluate(async images => remember(logits, session.run(images).output), set, options)
  const { total } = measureLayers(run.ternary)
  const { selected } = JSON.parse(readFileSync(join(directory, 'summary.json'), 'utf8'))
  return {
    name: config.name,
    seed,
    epoch: selected.epoch,
    phase: selected.phase,
    validation: percent(selected.validationAccuracy),
    test: percent(unpacked.accuracy),
    testPacked: percent(runtime.accuracy),
    quantizedWeights: total.size,
    zeros: total.size === 0 ? null : percent(total.zeroFraction),
    entropyBits: total.size === 0 ? null : round(total.entropyBits, 3),
    fileBytes: packed.bytes.length,
    float32Bytes: packed.report.float32Bytes,
    additions: session.describe().additions,
    multiplications: session.describe().multiplications,
    differFromUnpacked: differences(runtime.predictions, unpacked.predictions),
    differFromSameWeightsOnOrt: differences(runtime.predictions, sameWeights.predictions),
    largestLogitError: round(relativeError(logits, sameWeights.logits), 8),
  }
}

async function onEngine(engine, model, set, options) {
  const predictor = await createEnginePredictor(engine, model.graph, BATCH)
  await predictor.setParameters(model.parameters)
  const logits = []
  const found = await evaluate(
    async (images, count) => remember(logits, await predictor.predict(images, count)),
    set,
    options,
  )
  await predictor.release()
  return { ...found, logits }
}

function remember(list, logits) {
  list.push(Float32Array.from(logits))
  return logits
}

/** The largest difference of two sets of logits over the largest logit of the batch. */
function relativeError(batches, others) {
  let worst = 0
  batches.forEach((batch, index) => {
    const scale = batch.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
    batch.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - others[index][i]) / scale)
    })
  })
  return worst
}

const differences = (a, b) => a.reduce((count, value, index) => count + (value === b[index] ? 0 : 1), 0)
const round = (value, digits) => Number(value.toFixed(digits))
const percent = fraction => round(100 * fraction, 2)

const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length
const spread = values =>
  `${mean(values).toFixed(2)} (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})`

function summaryTable(rows) {
  const names = [...new Set(rows.map(row => row.name))]
  const lines = names.map(name => {
    const of = key => rows.filter(row => row.name === name).map(row => row[key])
    const zeros = of('zeros').every(value => value === null) ? '–' : `${spread(of('zeros'))}`
    const bytes = of('fileBytes')
    const smaller = mean(of('float32Bytes')) / mean(bytes)
    return `| ${name} | ${spread(of('validation'))} | **${spread(of('test'))}** | ${spread(of('testPacked'))} | ${zeros} | ${Math.round(mean(bytes)).toLocaleString('en')} | ${smaller.toFixed(1)} |`
  })
  return [
    '| configuration | validation % | test % | test %, packed file | zeros % | file bytes | × smaller |',
    '|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}

function runTable(rows) {
  return [
    '| run | test % | packed % | images that differ, packed and unpacked | packed and ONNX Runtime on the packed weights | largest logit difference | additions | multiplications |',
    '|---|---|---|---|---|---|---|---|',
    ...rows.map(
      row =>
        `| ${row.name}-${row.seed} | ${row.test.toFixed(2)} | ${row.testPacked.toFixed(2)} | ${row.differFromUnpacked} | ${row.differFromSameWeightsOnOrt} | ${row.largestLogitError.toExponential(1)} | ${row.additions.toLocaleString('en')} | ${row.multiplications.toLocaleString('en')} |`,
    ),
  ].join('\n')
}

/** Writes `results.json` and replaces the tables between the markers in `README.md`. */
export async function writeResults(jobs, { data, here }) {
  const dataset = await openDataset(data)
  const engine = await createEngine({ device: 'cpu' })
  const rows = []
  for (const job of jobs) {
    rows.push(await resultOf(engine, dataset, job))
    console.error(JSON.stringify(rows.at(-1)))
  }
  await engine.close()
  writeFileSync(join(here, 'results.json'), `${JSON.stringify(rows, null, 2)}\n`)
  const readme = join(here, 'README.md')
  const text = readFileSync(readme, 'utf8')
  const tables = `<!-- results -->\n\n${summaryTable(rows)}\n\n${runTable(rows)}\n\n<!-- /results -->`
  writeFileSync(readme, text.replace(/<!-- results -->[\s\S]*<!-- \/results -->/, tables))
}
