'use strict';
// The app that tests/packages/cdk.py lints and deploys: `node app.js FOLDER PARAMETERS`, with parameters of the pullsafe stack as JSON.
const { App, DefaultStackSynthesizer } = require('aws-cdk-lib');
const { Mode, Pullsafe } = require('..');
const { Shop } = require('./shop');

const [outdir, parameters] = process.argv.slice(2);
const app = new App({ outdir, analyticsReporting: false });
// Deployed without the CDK's own bucket.
const synthesizer = () => new DefaultStackSynthesizer({ generateBootstrapVersionRule: false });
new Pullsafe(app, 'pullsafe', { codeBucket: 'code', mode: Mode.ACT, parameters: JSON.parse(parameters), synthesizer: synthesizer() });
new Shop(app, 'shop', { tag: '1.4.3', synthesizer: synthesizer() });
app.synth();
