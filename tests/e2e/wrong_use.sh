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
wrong "variance is small, large or learned_range, not learned" 'ddpm(x, D, linear_abar(1000), variance="learned")' $chains
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
finish
