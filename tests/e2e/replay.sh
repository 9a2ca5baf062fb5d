#!/bin/bash
# Pictures say what made them, by content and not by path, and dg replay finds the run and makes them
# again: also after folders were moved or the run trained on; what was changed in between is named.
# Samples depend on their index alone.
. "$(dirname "$0")/lib.sh"
cp "$source_folder/measures.dg" model.dg
cat >run.yaml <<END
graph: model.dg
data: {kind: sketch_digits, size: [1, 8, 8]}
train: {steps: 4}
sample: {n: 9, args: {scale: 1.5}}
log: {every: 4, samples_every: 2}
save: {every: 2, keep: {last: 2}}
END
mkdir work && exits 0 "$dg" train run.yaml --out work/run -q
# key NAME: of the picture that dg info was asked about
key() { sed -n "s/^$1 *//p" out.txt; }
same_again() {
    exits 0 "$dg" replay "$@"
    grep -q "same bytes: ok" out.txt || fail "not the same: $* $(cat err.txt)"
}

# what the text says
exits 0 "$dg" sample work/run --n 5 --sample0 7 --grid 1x5 --seed 11 scale=0.5 -o work/a.png
exits 0 "$dg" info work/a.png
for fact in "Software dg" "dg.verb sample" "dg.entry sample" "dg.seed 11" "dg.sample0 7" \
    "dg.n 5" "dg.grid 1x5" "dg.step 4" 'dg.args {"scale":"0.5"}' "dg.precision f32"; do
    case $(key "${fact%% *}") in "${fact#* }"*) ;; *) fail "$fact: $(cat out.txt)" ;; esac
done
grep -qE "^dg\.(run|file)|$work|work" out.txt && fail "a path in the text: $(cat out.txt)"
exits 0 "$dg" info work/a.png --json
grep -qF '"dg.args":"{\"scale\":\"0.5\"}"' out.txt || fail "info as JSON: $(cat out.txt)"

# again: from here, from elsewhere, as JSON, moved together, moved apart, with the new picture written
same_again work/a.png
(cd / && "$dg" replay "$OLDPWD/work/a.png" >/dev/null 2>&1) || fail "replay from another folder"
exits 0 "$dg" replay work/a.png --json -o again.png
grep -qF '"exit":0,"same":true' out.txt || fail "JSON: $(cat out.txt)"
same work/a.png again.png
mv work moved && same_again moved/a.png && mv moved work
expect 4 "error[E447]: no run is found that made it: graph " "$dg" replay again.png
says "in ., ./runs, ., ./runs: there is no run"
says "help: name it: dg replay PICTURE --run RUN"
same_again again.png --run work/run
mkdir apart && cp again.png apart/p.png
expect 4 "in ., ./runs, apart, apart/runs: there is no run" "$dg" replay apart/p.png
(cd work && "$dg" replay ../apart/p.png >/dev/null 2>&1) || fail "a run in the current folder"
(cd work/run && "$dg" replay ../../apart/p.png >/dev/null 2>&1) || fail "the current folder is the run"
mkdir apart/runs && ln -s ../../work/run apart/runs/r && ln -s . apart/runs/loop
same_again apart/p.png
rm -r apart/runs && mkdir runs && mv work/run runs/far && same_again apart/p.png && mv runs/far work/run
expect 5 "none/run" "$dg" replay again.png --run none/run
same_again work/run/samples/step-0000002.png
same_again work/run/samples/step-0000004.png
exits 0 "$dg" sample work/run -o work/folder -q
(cd work && "$dg" replay folder/00004.png >/dev/null 2>&1) || fail "one picture of a folder"
exits 0 "$dg" sample work/run -o work/wide.png --precision f64 -q
same_again work/wide.png
exits 0 "$dg" sample work/run -o work/plain.png --isa generic -q
same_again work/plain.png
exits 0 "$dg" sample work/run -o work/skip.png --skip fuse --skip cse -q
same_again work/skip.png
cp -r work/run work/größe && exits 0 "$dg" sample work/größe -o work/ä.png -q
same_again work/ä.png
rm -r work/größe
echo '16' >size.json
exits 0 "$dg" sample model.dg -D batch=@size.json n=4 -o fresh.png -q
same_again fresh.png
exits 0 "$dg" weights export work/run -o work/w.safetensors
exits 0 "$dg" sample model.dg --weights work/w.safetensors -o work/w.png -q
exits 0 "$dg" info work/w.png
[ "$(key dg.file) $(key dg.weights_file)" = "model.dg work/w.safetensors" ] || fail "names as given: $(cat out.txt)"
same_again work/w.png
expect 4 "no 'model.dg' is found that made it" bash -c 'cd work && "$0" replay w.png' "$dg"
mkdir kept && cp -r model.dg work kept && cp work/w.png kept/w.png
(cd / && "$dg" replay "$OLDPWD/kept/w.png" >/dev/null 2>&1) || fail "names as seen from the picture"
(cd kept && echo '# another graph' >>model.dg && "$dg" replay ../kept/w.png >/dev/null 2>&1) && fail "another graph will do"
same_again kept/w.png

# Two equal runs: the pictures are the same bytes, and either run is right; one run with other weights is not.
exits 0 "$dg" train run.yaml --out twin/run -q --threads 1
exits 0 "$dg" sample twin/run --n 5 --sample0 7 --grid 1x5 --seed 11 scale=0.5 -o twin/a.png --threads 1
same work/a.png twin/a.png
exits 0 "$dg" sample "$work/twin/run" --n 5 --sample0 7 --grid 1x5 --seed 11 scale=0.5 -o b.png
same work/a.png b.png
mkdir both && cp -r work/run both/one && cp -r twin/run both/two && cp b.png both/b.png && same_again both/b.png
rm -r both/one/checkpoints && same_again both/b.png
rm -r both/two && expect 4 "closest is both/one, which has the graph: " "$dg" replay both/b.png
exits 0 "$dg" train run.yaml --set train.seed=2 --out both/other -q
expect 4 "closest is both/other, which has the graph: the weights of step 4 are not those of the picture" "$dg" replay both/b.png
says ": 2 runs"
cp -r twin/run both/zz && same_again both/b.png

# an index is a sample: the batch, the beginning and the number of samples do not matter
exits 0 "$dg" sample model.dg --entry starts --n 20 -o all.npy -q
exits 0 "$dg" sample model.dg --entry starts n=7 --n 20 -o sevens.npy -q
same all.npy sevens.npy
exits 0 "$dg" sample work/run --n 20 -o long.npy -q
exits 0 "$dg" sample work/run --n 9 --sample0 11 -o tail.npy -q
same <(tail -c $((9 * 256)) long.npy) <(tail -c $((9 * 256)) tail.npy)
exits 0 "$dg" sample work/run --json -o again.png
grep -qF '"verb":"sample","out":"again.png","entry":"sample","exit":0,"n":9' out.txt || fail "JSON: $(cat out.txt)"

# interpolation: the ends are the samples' own noise, or pictures
exits 0 "$dg" interp model.dg --from 3 --to 17 --frames 4 -o way.npy -q
same <(tail -c 1024 way.npy | head -c 256) <(tail -c $((20 * 256)) all.npy | tail -c +$((3 * 256 + 1)) | head -c 256)
same <(tail -c 256 way.npy) <(tail -c $((20 * 256)) all.npy | tail -c +$((17 * 256 + 1)) | head -c 256)
exits 0 "$dg" interp work/run --from 3 --to 8 --frames 6 --space lerp --seed 2 -o work/strip.png
exits 0 "$dg" info work/strip.png
[ "$(key dg.from) $(key dg.to) $(key dg.space) $(key dg.n) $(key dg.grid)" = "3 8 lerp 6 1x6" ] || fail "$(cat out.txt)"
same_again work/strip.png
cd work
exits 0 "$dg" interp run --from folder/00001.png --to folder/00002.png --space noise -o mix.png --json
grep -qF '"verb":"interp","out":"mix.png"' out.txt || fail "JSON: $(cat out.txt)"
cd ..
mv work moved && same_again moved/mix.png && mv moved work
exits 0 "$dg" info work/mix.png
[ "$(key dg.from)" = folder/00001.png ] || fail "the name as given: $(cat out.txt)"
mv work/folder folder2
expect 4 "folder/00001.png, folder/00002.png" "$dg" replay work/mix.png
says "not all files that it was made from are there"
mv folder2 work/folder

# wrong uses
expect 2 "--from: error[E223]: is missing" "$dg" interp work/run --to 3
expect 2 "are of two kinds" "$dg" interp work/run --from 3 --to work/a.png
expect 2 "noise mixes two pictures" "$dg" interp work/run --from 3 --to 4 --space noise
expect 2 "is not one of slerp|cos_sin|lerp|noise" "$dg" interp work/run --from 3 --to 4 --space line
expect 4 "the picture has 1 channels and 44 x 8 pixels" "$dg" interp work/run --from work/a.png --to work/a.png
expect 5 "cannot open" "$dg" interp work/run --from none.png --to none.png
expect 3 "the graph has no entry 'morph', which dg interp runs" "$dg" interp work/run --from 1 --to 2 --entry morph
says "entry interp(z0: f32[C, H, W], z1: f32[C, H, W]"
expect 2 "dg interp fills z0 and z1" "$dg" interp work/run --from 1 --to 2 --entry sample
expect 5 "cannot open" "$dg" replay none.png
expect 4 "is no PNG picture" "$dg" replay model.dg
expect 2 "replay wants: PICTURE.png" "$dg" replay

# a picture that was tampered with: a byte of a chunk, the end, the text, the pixels
printf 'x' | cat work/a.png - >longer.png && cp longer.png work/longer.png
expect 8 "has the pixels and the text of its run" "$dg" replay work/longer.png
head -c 60 work/a.png >work/cut.png
expect 4 "cut off" "$dg" replay work/cut.png
sed 's/dg\.seed/dg.sEed/' work/a.png >work/key.png
expect 4 "the picture is damaged: a chunk has the checksum" "$dg" replay work/key.png
expect 4 "the picture is damaged" "$dg" info work/key.png
# chunk FILE KEY VALUE: the picture with another value of a text, its checksum right
chunk() {
    perl -e '
        use strict; use warnings;
        my ($path, $key, $value) = @ARGV; local $/;
        open my $f, "<:raw", $path or die; my $b = <$f>;
        my @table = map { my $c = $_; $c = $c & 1 ? 0xEDB88320 ^ ($c >> 1) : $c >> 1 for 1 .. 8; $c } 0 .. 255;
        my $crc = sub { my $c = 0xFFFFFFFF; $c = $table[($c ^ $_) & 255] ^ ($c >> 8) for unpack "C*", $_[0]; $c ^ 0xFFFFFFFF };
        my $out = substr $b, 0, 8;
        for (my $at = 8; $at < length $b;) {
            my ($n, $type) = unpack "N a4", substr $b, $at, 8;
            my $data = substr $b, $at + 8, $n;
            $at += $n + 12;
            next if $value eq "-" and $type eq "tEXt" and $data =~ /^\Q$key\E/;
            $data = "$key\0$value" if $type eq "tEXt" and $data =~ /^\Q$key\E\0/;
            $out .= pack("N", length $data) . $type . $data . pack("N", $crc->($type . $data));
        }
        binmode STDOUT; print $out;' "$@"
}
if command -v perl >/dev/null; then
    chunk work/a.png none none >work/same.png
    same work/a.png work/same.png
    chunk work/a.png dg.seed 12 >work/t.png
    expect 8 "is not what its run makes:" "$dg" replay work/t.png
    says "pixels differ, the first at x"
    chunk work/a.png Software "dg 9.9.9" >work/t.png
    expect 8 "has the pixels that its run makes, but other text: text 'Software' is 'dg 9.9.9', now 'dg " "$dg" replay work/t.png
    chunk work/a.png dg.grid 5x1 >work/t.png
    expect 8 "the picture is 44x8, now 8x44" "$dg" replay work/t.png
    chunk work/a.png dg.n many >work/t.png
    expect 4 "the picture's text says dg.n: 'many', want a whole number" "$dg" replay work/t.png
    chunk work/a.png dg.args '{"scale":' >work/t.png
    expect 4 "want an object of texts" "$dg" replay work/t.png
    chunk work/a.png dg.graph 0123456789abcdef >work/t.png
    expect 4 "none has the graph; work/run: the graph or its config values are not those" "$dg" replay work/t.png
    expect 4 "error[E435]: the graph or its config values are not those" "$dg" replay work/t.png --run work/run
    chunk work/a.png dg.weights 0123456789abcdef >work/t.png
    expect 4 "closest is work/run, which has the graph: the weights of step 4 are not those" "$dg" replay work/t.png
    expect 4 "error[E435]: the weights of step 4 are not those" "$dg" replay work/t.png --run work/run
    chunk work/a.png dg.step 3 >work/t.png
    expect 4 "closest is work/run, which has the graph: has no checkpoint of step 3" "$dg" replay work/t.png
    expect 5 "has no checkpoint of step 3" "$dg" replay work/t.png --run work/run
    chunk work/a.png dg.args '{"scale":"2.0"}' >work/t.png
    expect 8 "pixels differ" "$dg" replay work/t.png --json
    grep -qF '"exit":8,"same":false' out.txt || fail "JSON: $(cat out.txt)"
    chunk work/a.png dg.seed - >work/t.png
    expect 4 "the picture's text lacks 'dg.seed'" "$dg" replay work/t.png
    chunk work/a.png dg - >work/t.png
    expect 4 "the picture has no text that says what made it" "$dg" replay work/t.png
    printf -v odd 'a\033[31mb'
    chunk work/a.png dg.entry "$odd" >work/t.png
    exits 0 "$dg" info work/t.png
    grep -qF "$odd" out.txt && fail "a terminal's codes go through dg info"
fi

# the run trained on: its checkpoint is asked for by step; pruned, it is missed by name
exits 0 "$dg" resume work/run --steps 6 -q
same_again work/a.png
exits 0 "$dg" resume work/run --steps 10 -q
expect 4 "has the graph: has no checkpoint of step 4" "$dg" replay work/a.png
cp work/a.png twin/c.png && same_again twin/c.png
exits 0 "$dg" sample work/run -o work/b.png -q
echo '# another graph' >>work/run/graph.dg
expect 4 "none has the graph" "$dg" replay work/b.png
rm -r work/run/checkpoints
exits 5 "$dg" sample work/run -o work/c.png -q
finish
