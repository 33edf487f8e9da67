package beam

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Prism in this process writes what the tool writes, byte for byte.
func TestQuantizeIsTheTools(t *testing.T) {
	in := filepath.Join(t.TempDir(), "in")
	makeModel(t, in, 8)
	for _, preset := range []string{"int8", "int4-g32", "w4a16", "nvfp4"} {
		t.Run(preset, func(t *testing.T) {
			dir := t.TempDir()
			want, got := filepath.Join(dir, "want"), filepath.Join(dir, "got")
			tool(t, "quantize", "--preset", preset, "-o", want, in)
			j := Job{Do: "quantize", In: in, Out: "file://" + filepath.ToSlash(got), Preset: preset, Piece: 16 << 10, Span: 2}
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
		})
	}
}

// What is no checkpoint is refused in one line.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	makeModel(t, in, 1)
	j := Job{Do: quantize, In: in, Out: filepath.Join(dir, "out"), Preset: "int8", Piece: 1 << 12, Span: 1}
	for want, change := range map[string]func(*Job){
		"has no files":                      func(j *Job) { j.In = filepath.Join(dir, "none") },
		"is no folder":                      func(j *Job) { j.In = filepath.Join(in, "config.json") },
		`preset is "int3", want one of `:    func(j *Job) { j.Preset = "int3" },
		"want a preset or a spec":           func(j *Job) { j.Spec = "{}" },
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
	args := []string{"-in", in, "-out", got, "-preset", "int4-g32", "-piece", "4096", "-span", "1"}
	r := rand.New(rand.NewPCG(3, 4))
	marks := func() int {
		all, err := filepath.Glob(filepath.Join(dir, ".got.lowbit-beam-*", "marks", "*", "*"))
		require.NoError(t, err)
		return len(all)
	}
	for done := 0; done < 60; {
		c := exec.Command(program(t, ".", "./cmd/lowbit-beam"), args...)
		require.NoError(t, c.Start())
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		for limit := done + 1 + r.IntN(40); marks() < limit; time.Sleep(time.Millisecond) {
			select {
			case err := <-ended:
				require.Fail(t, "the run ended before it was killed", "%v", err)
			default:
			}
		}
		require.NoError(t, c.Process.Kill())
		<-ended
		require.NoDirExists(t, got)
		done = marks()
	}
	done := marks()
	out, err := exec.Command(program(t, ".", "./cmd/lowbit-beam"), args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), fmt.Sprintf("pieces_taken_up %d\n", done))
	same(t, filesOf(t, want), filesOf(t, got))
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
