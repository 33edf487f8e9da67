//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

// asTool makes the test's program the tool.
const asTool = "LOWBIT_TEST_AS_TOOL"

func TestMain(m *testing.M) {
	if os.Getenv(asTool) != "" {
		main()
	}
	os.Exit(m.Run())
}

// start starts the tool as a process.
func start(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(path, args...)
	c.Env = append(os.Environ(), asTool+"=1")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	return c, &stderr
}

// startable skips a test whose program the kernel does not start by itself: it runs under an emulator.
func startable(t *testing.T) {
	t.Helper()
	c, _ := start(t, "--version")
	if err := c.Run(); errors.Is(err, syscall.ENOEXEC) {
		t.Skip(err)
	}
}

// A signal that ends the work leaves nothing behind; what kill -9 leaves, the next run to the same file removes.
func TestSignals(t *testing.T) {
	startable(t)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	const elements = int64(1) << 29 // zeros that take no room, and a while to read
	header := fmt.Sprintf(`{"w":{"dtype":"F32","shape":[1024,%d],"data_offsets":[0,%d]}}`, elements/1024, 4*elements)
	require.NoError(t, os.WriteFile(in, headed(header, 0), 0o666))
	if err := os.Truncate(in, int64(8+len(header))+4*elements); err != nil {
		t.Skip("the file system has no files of that size")
	}
	run := func(signal syscall.Signal) (*exec.Cmd, string) {
		c, stderr := start(t, "quantize", "--spec", int4Blocks, "-o", out, in)
		require.NoError(t, c.Start())
		done := make(chan error, 1)
		go func() { done <- c.Wait() }()
		for len(entries(t, dir)) < 2 {
			select {
			case err := <-done:
				t.Fatalf("ended before the signal: %v, %s", err, stderr)
			default:
				time.Sleep(time.Millisecond)
			}
		}
		require.NoError(t, c.Process.Signal(signal))
		<-done
		return c, stderr.String()
	}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT} {
		if signal.Ignored(s) { // as nohup has it
			continue
		}
		c, stderr := run(s)
		assert.Equal(t, exitFailed, c.ProcessState.ExitCode())
		assert.Equal(t, "lowbit: interrupted\n", stderr)
		assert.Equal(t, []string{"in"}, entries(t, dir))
	}
	run(syscall.SIGKILL)
	assert.Len(t, entries(t, dir), 2)
	require.NoError(t, os.Remove(in))
	save(t, in, ramp("w", 4, 4))
	works(t, "quantize", "--spec", int8Spec, "-o", out, in)
	assert.Equal(t, []string{"in", "out"}, entries(t, dir))
}

// Standard output that is full is a failure; that the closing line is lost is none.
func TestFullOutput(t *testing.T) {
	startable(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full")
	}
	defer full.Close()
	in := save(t, place(t, "in"), ramp("w", 4))
	for _, args := range [][]string{{"--version"}, {"--help"}, {"inspect", in}, {"compare", in, in}, {"cpu"}, {"presets"}, {"completion", "bash"}} {
		c, stderr := start(t, args...)
		c.Stdout = full
		c.Run()
		assert.Equal(t, exitFailed, c.ProcessState.ExitCode(), args)
		assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
		assert.Contains(t, stderr.String(), "no space left on device", args)
	}
	c, _ := start(t, "quantize", "--spec", int8Spec, "-o", place(t, "out"), in)
	c.Stdout = full
	require.NoError(t, c.Run())
}

// More INs than a process may have files open are read one after another.
func TestMoreFilesThanDescriptors(t *testing.T) {
	startable(t)
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	args := []string{"fakequant", "--spec", int8Spec, "-o", out}
	for i := range 150 {
		args = append(args, save(t, filepath.Join(dir, fmt.Sprint(i)), of("x", safetensors.F32, []int{1}, float32(i))))
	}
	c, stderr := start(t, args...)
	c.Args = append([]string{shell, "-c", `ulimit -n 100 && exec "$0" "$@"`, c.Path}, args...)
	c.Path = shell
	require.NoError(t, c.Run(), stderr)
	require.FileExists(t, out)
}

// A run to a folder that is killed at any moment leaves nothing under its name, or all of it, and the next one makes the same bytes of what is left.
func TestKilledFolder(t *testing.T) {
	startable(t)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	require.NoError(t, os.Mkdir(in, 0o777))
	weights := map[string]string{}
	for i := range 4 {
		name := fmt.Sprintf("model-%05d-of-00004.safetensors", i+1)
		weight := fmt.Sprintf("layers.%d.weight", i)
		save(t, filepath.Join(in, name), ramp(weight, 512, 1024))
		weights[weight] = name
	}
	index, err := json.Marshal(map[string]any{"metadata": map[string]any{}, "weight_map": weights})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(in, "model.safetensors.index.json"), index, 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(in, "config.json"), []byte(`{"model_type":"llama"}`), 0o666))
	args := []string{"quantize", "--preset", "int4-g32", "-o", out, in}
	content := func() map[string]string {
		all := map[string]string{}
		for _, name := range entries(t, out) {
			text, err := os.ReadFile(filepath.Join(out, name))
			require.NoError(t, err)
			all[name] = string(text)
		}
		require.NoError(t, os.RemoveAll(out))
		return all
	}
	c, stderr := start(t, args...)
	begun := time.Now()
	require.NoError(t, c.Run(), stderr)
	took := time.Since(begun)
	want := content()
	require.Len(t, want, 6)

	const moments = 20
	killed := 0
	for i := range moments {
		c, _ := start(t, args...)
		require.NoError(t, c.Start())
		time.Sleep(took * time.Duration(i+1) / moments)
		require.NoError(t, c.Process.Kill())
		if c.Wait() != nil {
			killed++
			if _, err := os.Stat(out); err != nil { // else it had its name already
				works(t, args...)
			}
		}
		require.Equal(t, want, content(), "killed at moment %d", i)
		require.Equal(t, []string{"in"}, entries(t, dir))
	}
	assert.Positive(t, killed)
}
