// Algorithm 1, as in gahr_lib/sampling, for one image.

/** h of step t, counted from 1. */
function stepSize({ h0, ramp }, t) {
  return ramp ? (h0 * t) / (1 + h0 * (t - 1)) : h0;
}

/** gamma / s of step t: the noise that it injects per noise that it finds. */
function injected(config, t) {
  const h = stepSize(config, t);
  return Math.sqrt((1 - config.beta * h) ** 2 - (1 - h) ** 2);
}

/**
 * Draw an image, and yield the state after each step: {step, x, denoised, sigma, finished}.
 * `denoise` maps an image to a promise of the denoised one, `nextNoise` returns standard normal
 * numbers, and `config` is a SampleConfig of the package.
 */
export async function* sampleSteps(denoise, nextNoise, config) {
  let x = nextNoise().map((z) => config.mean + config.sigma_0 * z);
  for (let t = 1; t <= config.max_steps; t++) {
    const f = await denoise(x);
    let squares = 0;
    for (let i = 0; i < x.length; i++) squares += (f[i] - x[i]) ** 2;
    const sigma = Math.sqrt(squares / x.length); // noise left, as the denoiser sees it
    if (!Number.isFinite(sigma)) throw new Error(`The image leaves all bounds at step ${t}. Take another seed or other steps.`);
    const finished = sigma < config.sigma_inf;
    if (finished) x = f.slice();
    else {
      const [h, gamma] = [stepSize(config, t), injected(config, t) * sigma];
      const z = gamma > 0 ? nextNoise() : null;
      x = x.map((v, i) => v + h * (f[i] - v) + (z ? gamma * z[i] : 0));
    }
    yield { step: t, x, denoised: f, sigma, finished };
    if (finished) return;
  }
  throw new Error(
    `After ${config.max_steps} steps there is still noise above ${config.sigma_inf}. ` +
      "Take another seed or other steps.",
  );
}
