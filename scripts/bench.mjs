/** `npm run bench -- train|methods|epoch|infer|codec [OPTIONS]`: installs and builds what is missing, then `sterna bench …`. */
import path from 'node:path'
import { ensure, hand, root } from './ensure.mjs'

ensure()
hand(path.join(root, 'packages/sterna/bin/sterna.js'), ['bench', ...process.argv.slice(2)])
