# weights.sh: import by a name map, training from it, export back, bit for bit; files that are not what they seem.
. "$(dirname "$0")/lib.sh"

cat >model.dg <<'END'
import "nets/mlp.dg"
import "losses/simple.dg"
import "noise/schedules.dg"
import "optim/adam.dg"
import "optim/ema.dg"
const abar = cosine_abar(20)
model net = fn(x, t) => mlp(x, t, 8, 1)
train step(x: f32[16, 2]) -> f32 {
  loss = l_simple(x, net, abar)
  adam(loss, net, fn(k) => 1e-3)
  ema(net, 0.9)
  return loss
}
entry apply(x: f32[3, 2]) -> f32[3, 2] { return averaged(net)(x, 4) }
END
cat >run.yaml <<'END'
graph: model.dg
data: {kind: swiss_roll}
train: {steps: 3, seed: 1}
save: {every: 3}
END
cat >names.txt <<'END'
net.mlp.time.fc{i}.w = temb.{i}.weight | t
net.mlp.time.fc{i}.b = temb.{i}.bias
net.mlp.fc0.w = body.0.weight | t
net.mlp.fc0.b = body.0.bias
net.mlp.head.w = head.weight | t
net.mlp.head.b = head.bias
END

exits 0 "$dg" train run.yaml --out run
exits 0 "$dg" weights info run
exits 0 "$dg" weights export run -o ours.safetensors
exits 0 "$dg" weights export run --state ema -o ema.safetensors
exits 0 "$dg" weights export run --dtype BF16 -o half.safetensors
exits 4 "$dg" weights export run --map names.txt -o theirs.safetensors
says "--like"

# a file under other names: the example's own, transposed by an import that runs a map of identities
exits 0 "$dg" weights import ours.safetensors --into model.dg -o same.safetensors
grep -q "0 missing, 0 unused" out.txt || fail "own names do not fit"
exits 0 "$dg" weights import half.safetensors --into model.dg -o wide.safetensors
exits 8 "$dg" weights diff same.safetensors wide.safetensors
exits 0 "$dg" weights diff ours.safetensors ours.safetensors

printf 'net.mlp.head.w = nothing.here\n' >missing.txt
exits 0 "$dg" weights import ours.safetensors --into model.dg --map missing.txt -o x.safetensors
says "W421"
exits 4 "$dg" weights import ours.safetensors --into model.dg --map missing.txt -o x.safetensors --strict
printf 'net.mlp.head.w = net.mlp.head.w | transpose\n' >bad.txt
exits 4 "$dg" weights import ours.safetensors --into model.dg --map bad.txt -o x.safetensors
says "bad.txt:1:"

printf '\200\002}q\000.' >model.pt
exits 4 "$dg" weights info model.pt
says "save_file"
head -c 100 ours.safetensors >short.safetensors
exits 4 "$dg" weights info short.safetensors
says "short.safetensors@"
exits 5 "$dg" weights info none.safetensors
exits 0 "$dg" info ours.safetensors
exits 0 "$dg" info run
finish
