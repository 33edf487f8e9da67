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
