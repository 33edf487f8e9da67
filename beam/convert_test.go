package beam

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// way is a way to quantize: a preset and what is written, or a spec.
type way struct {
	preset, to string
	spec       string
	pack       bool
}

// ways are some of them, and with LOWBIT_EXHAUSTIVE=1 every preset to all that it can be written to, and a spec of every kind.
func ways() (all []way) {
	if os.Getenv("LOWBIT_EXHAUSTIVE") == "" {
		return []way{{preset: "int8"}, {preset: "int4-g32-mse"}, {preset: "w4a16"}, {preset: "nvfp4", to: toLowbit}}
	}
	for _, p := range quant.Presets() {
		all = append(all, way{preset: p, to: toLowbit})
	}
	for _, p := range checkpoint.CompressedTensorsPresets() {
		all = append(all, way{preset: p, to: toCT})
	}
	for _, s := range []string{
		`{"dtype":"uint4","qscheme":"asymmetric"}`,
		`{"dtype":"int8","qscheme":"asymmetric","granularity":{"type":"per_channel","axis":-1}}`,
		`{"dtype":"uint8","qscheme":"asymmetric","qformulation":"minval"}`,
		`{"dtype":"int2","granularity":{"type":"per_block","axis":-1,"block_size":11}}`,
		`{"dtype":"float8_e5m2","granularity":{"type":"per_block","axis":-1,"block_size":48}}`,
		`{"dtype":"int4","range_calculator_cls":"mse"}`,
		`{"dtype":"int8","qparam_calculator_cls":"moving_average"}`,
		`{"dtype":"int8","float_range":[-0.9,null]}`,
	} {
		all = append(all, way{spec: s}, way{spec: s, pack: true})
	}
	return all
}

// args are the tool's, and job is the pipeline's.
func (w way) args() (args []string) {
	for flag, value := range map[string]string{"--preset": w.preset, "--to": w.to, "--spec": w.spec} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	if w.pack {
		args = append(args, "--pack")
	}
	return args
}

func (w way) job(in, out string) Job {
	return Job{Do: quantize, In: in, Out: out, Preset: w.preset, To: w.to, Spec: w.spec, Pack: w.pack, Piece: 16 << 10, Span: 2}
}

// Prism in this process writes what the tool writes, byte for byte; with LOWBIT_EXHAUSTIVE=1 from and to buckets too.
func TestQuantizeIsTheTools(t *testing.T) {
	in := filepath.Join(t.TempDir(), "in")
	makeModel(t, in, 8)
	s3, at := newFakeS3(t)
	var buckets []func(prefix string) string
	if os.Getenv("LOWBIT_EXHAUSTIVE") != "" {
		buckets = append(buckets, func(prefix string) string { return "mem://all/" + prefix }, at)
		for _, at := range buckets {
			upload(t, at("in"), filesOf(t, in))
		}
	}
	for i, w := range ways() {
		t.Run(fmt.Sprint(w), func(t *testing.T) {
			dir := t.TempDir()
			want, got := filepath.Join(dir, "want"), filepath.Join(dir, "got")
			tool(t, append(append([]string{"quantize", "-o", want}, w.args()...), in)...)
			j := w.job(in, "file://"+filepath.ToSlash(got))
			r, err := Run(t.Context(), j)
			require.NoError(t, err)
			require.Positive(t, r.Counters["pieces_done"])
			require.Positive(t, r.Counters["bytes_written"])
			same(t, filesOf(t, want), filesOf(t, got))
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, entries, 2, "the stage is gone")

			r, err = Run(t.Context(), j)
			require.NoError(t, err)
			require.True(t, r.Nothing)

			for _, at := range buckets {
				out := at(fmt.Sprint(i))
				s3.fails = 97
				_, err := Run(t.Context(), w.job(at("in"), out))
				s3.fails = 0
				require.NoError(t, err)
				same(t, filesOf(t, want), download(t, out))
			}
		})
	}
	require.GreaterOrEqual(t, s3.failed, len(buckets))
}

// A NaN or an infinity is refused where the tool refuses it, and else changes nothing about the bytes.
func TestNonFinite(t *testing.T) {
	dir := t.TempDir()
	in, want, got := filepath.Join(dir, "in"), filepath.Join(dir, "want"), filepath.Join(dir, "got")
	makeModel(t, in, 2)
	const shard, tensor, element = "model-00002-of-00002.safetensors", "model.layers.1.mlp.up_proj.weight", 5000
	f, err := safetensors.Open(filepath.Join(in, shard))
	require.NoError(t, err)
	info, ok := f.Lookup(tensor)
	require.True(t, ok)
	require.NoError(t, f.Close())
	file, err := os.OpenFile(filepath.Join(in, shard), os.O_RDWR, 0)
	require.NoError(t, err)
	stat, err := file.Stat()
	require.NoError(t, err)
	end := int64(0)
	for _, other := range f.Tensors() {
		end = max(end, other.Offset+other.Size)
	}
	at := stat.Size() - end + info.Offset + 4*element
	for name, value := range map[string]float64{"NaN": math.NaN(), "an infinity": math.Inf(-1)} {
		_, err = file.WriteAt(binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(value))), at)
		require.NoError(t, err)
		said := fmt.Sprintf("%s: tensor %q: element %d is %s, and ", shard, tensor, element, name)
		out, err := exec.Command(program(t, "..", "./cmd/lowbit"), "quantize", "--preset", "int4-g32", "--non-finite", "error", "-o", want, in).CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), said+"--non-finite is error")
		j := Job{Do: quantize, In: in, Out: got, Preset: "int4-g32", NonFinite: refuse, Piece: 4 << 10, Span: 2}
		_, err = Run(t.Context(), j)
		require.ErrorContains(t, err, said+"non-finite is error")
		require.NoDirExists(t, got)
	}
	require.NoError(t, file.Close())

	tool(t, "quantize", "--preset", "int4-g32", "-o", want, in)
	_, err = Run(t.Context(), Job{Do: quantize, In: in, Out: got, Preset: "int4-g32", NonFinite: warn, Piece: 4 << 10, Span: 2})
	require.NoError(t, err)
	same(t, filesOf(t, want), filesOf(t, got))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 3, "the stage of the job that failed is gone too")
}

// A job that is sent to workers holds for whatever folder they are in.
func TestPathsAreMadeAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	require.NoError(t, err)
	makeModel(t, "in", 1)
	j := Job{Do: toCompare, In: "in", Out: "./report", Against: "file://" + filepath.ToSlash(dir) + "/in", Piece: 1 << 12, Span: 1}
	against := j.Against
	require.NoError(t, j.begin(t.Context()))
	require.Equal(t, []string{filepath.Join(dir, "in"), filepath.Join(dir, "report"), against}, []string{j.In, j.Out, j.Against})
}

// A plan is printed, and nothing is written.
func TestDryRun(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	makeModel(t, in, 2)
	for _, j := range []Job{{Do: quantize, Preset: "int4-g32"}, {Do: toCompare, Against: in}} {
		j.In, j.Out, j.Piece, j.Span = in, out, 16<<10, 2
		var text strings.Builder
		require.NoError(t, DryRun(t.Context(), &text, j))
		require.Contains(t, text.String(), "nothing is written\n")
		if j.Do == toCompare {
			continue
		}
		require.Regexp(t, `(?m)^model-00002-of-00002\.safetensors +\d+ +\d+ +\d+$`, text.String())
		require.Regexp(t, `(?m)^extra/notes\.txt +copied +10 +10$`, text.String())
		require.Contains(t, text.String(), "6 of 14 tensors would be converted, ")
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// What is no checkpoint is refused in one line.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	makeModel(t, in, 1)
	small := filepath.Join(dir, "small")
	tool(t, "quantize", "--preset", "w8a8", "-o", small, in)
	j := Job{Do: quantize, In: in, Out: filepath.Join(dir, "out"), Preset: "int8", Piece: 1 << 12, Span: 1}
	for want, change := range map[string]func(*Job){
		"has no files":                      func(j *Job) { j.In = filepath.Join(dir, "none") },
		"is no folder":                      func(j *Job) { j.In = filepath.Join(in, "config.json") },
		`preset is "int3", want one of `:    func(j *Job) { j.Preset = "int3" },
		"want a preset or a spec":           func(j *Job) { j.Spec = "{}" },
		`non-finite is "x", want warn or `:  func(j *Job) { j.NonFinite = "x" },
		"is quantized already, by ":         func(j *Job) { j.In = small },
		"want file:///PATH":                 func(j *Job) { j.In = "file://host/x" },
		"is not empty and is not what this": func(j *Job) { j.Out = dir },
		"include: error parsing regexp":     func(j *Job) { j.Include = "(" },
		"want 1 KiB to 1 GiB":               func(j *Job) { j.Piece = 1 },
		"no driver registered":              func(j *Job) { j.In = "nowhere://x" },
	} {
		k := j
		change(&k)
		_, err := Run(t.Context(), k)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
	require.NoDirExists(t, j.Out)
}

// A run that is killed at any time leaves nothing that is seen, and the next one takes up what it has done.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	in, want, got := filepath.Join(dir, "in"), filepath.Join(dir, "want"), filepath.Join(dir, "got")
	makeModel(t, in, 4)
	tool(t, "quantize", "--preset", "int4-g32", "-o", want, in)
	s3, at := newFakeS3(t)
	upload(t, at("in"), filesOf(t, in))
	for _, place := range []struct {
		name, in, out string
		piece, least  int
		staged        func() int
		seen          func() bool
		files         func() map[string]string
	}{
		{"folder", in, got, 4096, 60, func() int {
			all, err := filepath.Glob(filepath.Join(dir, ".got.lowbit-beam-*", "marks", "*", "*"))
			require.NoError(t, err)
			return len(all)
		}, func() bool {
			_, err := os.Stat(got)
			return err == nil
		}, func() map[string]string { return filesOf(t, got) }},
		{"S3", at("in"), at("got"), 8192, 20, func() (n int) {
			for _, key := range s3.keys("got/" + stageFolder) {
				if _, ok := parseSpan(path.Base(key)); ok {
					n++
				}
			}
			return n
		}, func() bool { return len(s3.keys("got/model.safetensors.index.json")) > 0 }, func() map[string]string { return download(t, at("got")) }},
	} {
		t.Run(place.name, func(t *testing.T) {
			args := []string{"-in", place.in, "-out", place.out, "-preset", "int4-g32", "-piece", fmt.Sprint(place.piece), "-span", "1"}
			r := rand.New(rand.NewPCG(3, 4))
			done := 0
			for done < place.least {
				c := exec.Command(program(t, ".", "./cmd/lowbit-beam"), args...)
				require.NoError(t, c.Start())
				ended := make(chan error, 1)
				go func() { ended <- c.Wait() }()
				for limit := done + 1 + r.IntN(place.least); place.staged() < limit; time.Sleep(time.Millisecond) {
					select {
					case err := <-ended:
						require.Fail(t, "the run ended before it was killed", "%v", err)
					default:
					}
				}
				require.NoError(t, c.Process.Kill())
				<-ended
				require.False(t, place.seen())
				done = place.staged()
			}
			out, err := exec.Command(program(t, ".", "./cmd/lowbit-beam"), args...).CombinedOutput()
			require.NoError(t, err, "%s", out)
			_, count, _ := strings.Cut(string(out), "pieces_taken_up ")
			var taken int
			_, err = fmt.Sscan(count, &taken)
			require.NoError(t, err, "%s", out)
			require.GreaterOrEqual(t, taken, done, "an upload may have come to its end after its sender")
			same(t, filesOf(t, want), place.files())
		})
	}
}

// Groups that no piece holds are observed first, in parts, and merged.
func TestTwoPasses(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	makeModel(t, in, 2)
	upload(t, "mem://passes/in", filesOf(t, in))
	whole := `{"dtype":"uint4","qscheme":"asymmetric"}`
	for name, args := range map[string][]string{"nvfp4": {"--preset", "nvfp4"}, "ct": {"--preset", "nvfp4", "--to", "compressed-tensors"}, "tensor": {"--spec", whole, "--pack"}} {
		want := filepath.Join(dir, "want"+name)
		tool(t, append(append([]string{"quantize", "-o", want}, args...), in)...)
		j := Job{Do: quantize, In: "mem://passes/in", Out: "mem://passes/" + name, Piece: 1 << 10, Span: 4}
		if name == "tensor" {
			j.Spec, j.Pack = whole, true
		} else {
			j.Preset = "nvfp4"
		}
		if name == "ct" {
			j.To = toCT
		}
		require.NoError(t, j.begin(t.Context()))
		w, err := newWork(t.Context(), j)
		require.NoError(t, err)
		require.NotEmpty(t, w.facts)
		_, err = Run(t.Context(), j)
		require.NoError(t, err)
		same(t, filesOf(t, want), download(t, j.Out))
	}
}
