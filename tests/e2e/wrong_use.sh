# wrong_use.sh: what the library says to a wrong use is one error that tells what to change.
. "$(dirname "$0")/lib.sh"

# wrong WHAT STATEMENT IMPORT...: a test of that statement fails with a message that holds WHAT.
wrong() {
    local what=$1 statement=$2 file
    shift 2
    for file in nets/mlp.dg noise/schedules.dg "$@"; do echo "import \"$file\""; done >wrong.dg
    cat >>wrong.dg <<END
block D(x, sigma) { return 0.5 * x }
test "wrong" { x = ones([2, 2]); y = $statement }
END
    expect 3 "$what" "$dg" test wrong.dg
}

sigma="noise/edm.dg samplers/edm.dg samplers/kdiffusion.dg samplers/kdiffusion_sde.dg"
wrong "a rising list is given as reverse(sigmas)" 'heun(x, D, [1.0, 2.0, 3.0])' $sigma
wrong "the last 0 or more" 'dpmpp_2m(x, D, [3.0, -1.0])' $sigma
wrong "order is 1 (Euler) or 2 (Heun), not 3" 'edm(x, D, karras_sigmas(4), order=3)' $sigma
wrong "form is midpoint or heun" 'dpmpp_2m_sde(x, D, karras_sigmas(4), form="euler")' $sigma
wrong "leave that step out with abar[:-1]" 'sigmas_of([0.5, 0.0])[0]' $sigma
wrong "of a learned variance take the first half" \
    'discrete_denoiser(fn(x, t) => concat([x, x], 1), linear_abar(1000))(x, 1.0)' $sigma
wrong "give converted(net, abar," 'discrete_denoiser(D, linear_abar(1000), "mean")(x, 1.0)' $sigma
wrong "sigmas[:-1] of a grid that ends there" 'annealed_langevin(x, D, karras_sigmas(4))' $sigma samplers/langevin.dg
wrong "sigmas[:-1] of a grid that ends there" 'predictor_corrector(x, D, karras_sigmas(4))' $sigma samplers/predictor_corrector.dg
wrong "it takes two and hi > lo > 0" 'geometric_sigmas(1)[0]' losses/dsm.dg
wrong "set hi and lo for all samplers that share it" 'brownian([(5000.0, 1.0)])(0, [2])' noise/brownian.dg
wrong "raise depth" 'brownian([(1.0, 0.99999)])(0, [2])' noise/brownian.dg
wrong "sigma runs from hi = 0.001 down to lo" 'ode_adaptive(x, D, hi=0.001)' samplers/ode_adaptive.dg
wrong "solver is rk4 or heun, not euler" 'flow_loglik(x, D, solver="euler")' eval/flow_likelihood.dg

chains="samplers/ddpm.dg samplers/ddim.dg samplers/encode.dg samplers/interpolate.dg eval/bound.dg"
wrong "takes a network with 4 channels, prediction and v, for x with 2; it has 2" \
    'ddpm(x, D, linear_abar(1000), variance="learned_range")' $chains
wrong "takes a network with 4 channels, prediction and v, for x with 2; it has 2" \
    'bound(x, D, linear_abar(1000), variance="learned_range")' $chains
wrong "for a learned variance split its channels first" \
    'ddim(x, fn(x, t) => concat([x, x], 1), linear_abar(1000), [9, 99])' $chains
wrong "variance is small, large, learned or learned_range, not range" 'ddpm(x, D, linear_abar(1000), variance="range")' $chains
wrong "takes a network with 4 channels, prediction and v, for x with 2; it has 2" \
    'ddpm(x, D, linear_abar(1000), variance="learned")' $chains
wrong "these 2 steps skip some of 100: take all, or train with \"learned_range\"" \
    'ddpm(x, fn(x, t) => concat([x, x], 1), linear_abar(100), [9, 99], variance="learned")' $chains
wrong "these 2 steps skip some of 100: take all, or train with \"learned_range\"" \
    'bound(x, fn(x, t) => concat([x, x], 1), linear_abar(100), [9, 99], variance="learned")' $chains
wrong "every is 1 for all terms, or E for one in E, not 0" 'bound(x, D, linear_abar(100), every=0)' $chains
wrong "steps go from 0 to 999, but the schedule has the steps 0 to 99: give both for the same T" \
    'ddim(x, D, linear_abar(100), [0, 999])' $chains
wrong "runs them from the last to the first" 'ddpm(x, D, linear_abar(100), [99, 0])' $chains
wrong "eta = 5.0 asks for more noise than a step can hold" 'ddim(x, D, linear_abar(100), [0, 99], eta=5.0)' $chains
wrong "sigma_hat says how much noise a step draws: leave out eta" \
    'ddim(x, D, linear_abar(100), [0, 99], eta=1.0, sigma_hat=true)' $chains
wrong "direction is rederived or raw, not kept" 'ddim(x, D, linear_abar(100), [0, 99], direction="kept")' $chains
wrong "encoding goes from steps[0] to steps[-1]: give two steps or more" 'ddim_encode(x, D, linear_abar(100), [99])' $chains
wrong "predict v or x0, or leave out the last step with abar[:-1]" 'ddpm(x, D, [0.5, 0.0])' $chains
wrong "at is a place in steps, 0 to 1, not 2" \
    'diffuse_between(x, x, [0.5], D, linear_abar(100), [0, 99], 2)' $chains
wrong "the bound takes two steps or more" 'bound(x, D, linear_abar(100), [99])' $chains
wrong "3 variances for 2 steps: give one for each step" \
    'bound(x, D, linear_abar(100), [0, 99], variances=[0.1, 0.2, 0.3])' $chains

solvers="samplers/dpm_solver.dg samplers/unipc.dg samplers/pndm.dg samplers/flow.dg noise/flow.dg"
wrong "order is 1, 2 or 3, not 4" 'dpm_solver(x, D, linear_abar(1000), order=4)' $solvers
wrong "2 calls do not make one step of order 3: set n to 3 or more" 'dpm_solver(x, D, linear_abar(1000), 2, 3)' $solvers
wrong "grid is time_uniform, time_quadratic or logSNR, not karras" \
    'dpm_solver(x, D, linear_abar(1000), grid="karras")' $solvers
wrong "method is multistep, singlestep or singlestep_fixed, not adaptive" \
    'dpm_solver(x, D, linear_abar(1000), method="adaptive")' $solvers
wrong "algorithm_type is dpmsolver or dpmsolver++, not sde" \
    'dpm_solver(x, D, linear_abar(1000), algorithm_type="sde")' $solvers
wrong "predicts is eps, x0 or v, not mean" 'dpm_solver(x, D, linear_abar(1000), predicts="mean")' $solvers
wrong "give both for the same T" 'dpmpp_multistep(x, D, linear_abar(100), [0, 999])' $solvers
wrong "give both for the same T" 'unipc(x, D, linear_abar(100), [0, 999])' $solvers
wrong "order is at least 1, not 0" 'unipc(x, D, linear_abar(100), [0, 99], 0)' $solvers
wrong "it needs four steps or more" 'pndm(x, D, linear_abar(100), [0, 50, 99])' $solvers
wrong "PLMS needs two steps or more" 'plms(x, D, linear_abar(100), [99])' $solvers
wrong "times must descend" 'flow_euler(x, D, [0.0, 1.0])' $solvers
wrong "times lie between 1 (noise) and 0 (data)" 'flow_heun(x, D, [2.0, 0.0])' $solvers
wrong "shift must be positive, not -1.0" 'flow_times(10, -1.0)[0]' $solvers

guidance="guidance/cfg.dg guidance/classifier.dg guidance/threshold.dg losses/distill.dg losses/consistency.dg samplers/ddim.dg"
editing="samplers/repaint.dg samplers/sdedit.dg"
wrong "guidance needs labels: give y" 'ddim(x, cfg(D, none, 10, 2.0), linear_abar(100), [9, 99])' $guidance
wrong "guidance needs labels: give y" 'classifier_gradient(D, none)(x, 5)' $guidance
wrong "3 arguments, it takes 2" 'ddim(x, cfg(D, i32([0, 1]), 10, 2.0), linear_abar(100), [9, 99])' $guidance
wrong "set classes to the number of rows of the label table" \
    'unet(ones([1, 1, 4, 4]), 3, i32([0]), out=1, ch=8, mults=[1], groups=4)' nets/unet.dg
wrong "the network gives 6 channels for 2 of x" \
    'cfg(fn(x, t, y) => concat([x, x, x], 1), i32([0, 1]), 10, 2.0)(x, 5)' $guidance
wrong "p is a share between 0 and 1, not 99.5" 'threshold(x, 99.5)' $guidance
wrong "predicts is x0 or v, not eps" 'distilled(x, D, 4, predicts="eps")' $guidance
wrong "sigmas must descend" 'consistency_sample(x, D, [0.5, 80.0])' $guidance
wrong "the walk begins at its highest step" 'repaint(x, x, x, D, linear_abar(100), [0, 99])' $editing
wrong "give both for the same T" 'repaint(x, x, x, D, linear_abar(100), [999, 0])' $editing
wrong "strength is a share of the steps between 0 and 1, not 60.0" \
    'sdedit(x, fn(x, s) => x, linear_abar(100), [0, 99], 60.0)' $editing

process="noise/spacing.dg noise/trajectory.dg losses/weights.dg"
wrong "take 20 steps or more" 'linear_scaled_abar(19)[0]' $process
wrong "beta is 1.5 at step 1 of 3: each lies above 0 and below 1" 'abar_of([0.5, 1.5, 0.1])[0]' $process
wrong "beta is 1.0 at step 0 of 2: each lies above 0 and below 1, and only the last may be 1" \
    'abar_of([1.0, 0.5])[0]' $process
wrong "take more steps or a flatter schedule" 'linear_abar(10, 0.1, 2.0)[0]' $process
wrong "a schedule has at least one step, not 0" 'cosine_abar(0)[0]' $process
wrong "there is no schedule cosin; there are" 'schedule("cosin", 10)[0]' $process
wrong "the schedule cosine has no b0" 'schedule("cosine", 10, 0.1)[0]' $process
wrong "leave out the steps after the first 0" 'betas_of([0.5, 0.0, 0.0])[0]' $process
wrong "part is a share of the steps, 0 to 1, not 10.0" 'warmup_abar(100, 10.0)[0]' $process
wrong "section 1 has 5 steps, of which 6 cannot be taken: take 1 to 5" 'sections(10, [2, 6])[0]' $process
wrong "no stride takes exactly 400 of 1000 steps" 'ddim_stride(1000, 400)[0]' $process
wrong "30 steps cannot be taken out of 20: take 1 to 20" 'trailing(20, 30)[0]' $process
wrong "leads to step 20, behind the last of 20: take a smaller one" 'leading(20, 20, 1)[0]' $process
wrong "there is no spacing karras; there are" 'spaced("karras", 100, 10)[0]' $process
wrong "give reverse(steps) of a falling list" 'respaced(linear_abar(10), [9, 0])[0]' $process
wrong "steps run from 0 to 99, but the schedule has 0 to 9: make both for the same T" \
    'respaced_betas(linear_abar(10), [0, 99])[0]' $process
wrong "the weight is of eps, x0 or v, not of mean" 'min_snr_weight(linear_abar(10), "mean")[0]' $process
wrong "3 weights for a schedule of 2 steps" 'reweighted([1.0, 1.0, 1.0], [0.9, 0.5], "eps", "v")[0]' $process
wrong "leave that step out with abar[:-1]" 'bound_weight(jsd_abar(10))[0]' $process

losses="losses/simple.dg losses/bound.dg losses/times.dg noise/draws.dg"
wrong "takes a network with 4 channels, prediction and v, for x with 2; it has 2" \
    'l_hybrid(x, D, linear_abar(1000))' $losses
wrong "takes a network with 4 channels, prediction and v, for x with 2; it has 2" \
    'l_vlb(x, D, linear_abar(1000))' $losses
wrong "a network with a learned variance is trained by l_hybrid or l_vlb" \
    'l_simple(x, fn(x, t) => concat([x, x], 1), linear_abar(1000))' $losses
wrong "variance small has nothing to learn from the bound: use l_simple" \
    'l_hybrid(x, D, linear_abar(1000), variance="small")' $losses
wrong "variance is small, large, learned or learned_range, not range" \
    'l_vlb(x, D, linear_abar(1000), variance="range")' $losses
wrong "predicts is eps, x0, v or mean, not noise" 'l_simple(x, D, linear_abar(1000), predicts="noise")' $losses
wrong "2 weights for 10 steps: make them of the same abar" \
    'l_simple(x, D, linear_abar(10), weight=[1.0, 2.0])' $losses
wrong "take two steps or more" 'l_vlb(x, D, [0.5], variance="small")' $losses
wrong "predict v or x0, or leave out the last step with abar[:-1]" \
    'l_vlb(x, D, [0.5, 0.0], variance="small")' $losses
wrong "mix lies above 0 and up to 1" 'importance_times(2, 10, mix=0.0)[1]' $losses
wrong "offset noise is for [B, C, ...]" 'offset_noise()(0, [4])' $losses
wrong "least is a normal double" 'gauss_bin_loglik_exact(x, x, x, 0.0)' $losses
finish
