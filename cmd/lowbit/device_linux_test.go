package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// What has no end, waits for somebody to write, or is absurdly long is refused before it is read, wherever a name leads to it.
func TestDevices(t *testing.T) {
	in := save(t, place(t, "in.safetensors"), ramp("w.weight", 2, 4))
	pipe := place(t, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o666))
	out := place(t, "out")
	const irregular = "is not a regular file"
	for _, device := range []string{pipe, "/dev/zero"} {
		for _, name := range []string{"config.json", "quantize_config.json", "model.safetensors.index.json", "model.safetensors"} {
			folder := t.TempDir()
			if name != "model.safetensors" {
				require.NoError(t, os.Link(in, filepath.Join(folder, "model.safetensors")))
			}
			require.NoError(t, os.Symlink(device, filepath.Join(folder, name)))
			fails(t, exitFailed, []string{name, irregular}, "inspect", folder)
			fails(t, exitFailed, []string{name, irregular}, "quantize", "--preset", "int8", "-o", out, folder)
		}
		fails(t, exitFailed, []string{device, irregular}, "inspect", device)
		fails(t, exitFailed, []string{device, irregular}, "quantize", "--preset", "q4_0", "-o", out, device)
		fails(t, exitFailed, []string{device, irregular}, "quantize", "--preset", "int4-g32-mse", "--imatrix", device, "-o", out, in)
	}
	fails(t, exitUsage, []string{"--recipe", "/dev/zero", "more than 16777216 bytes"}, "quantize", "--recipe", "/dev/zero", "-o", out, in)
	fails(t, exitUsage, []string{"--spec", "/dev/zero", "more than 16777216 bytes"}, "fakequant", "--spec", "@/dev/zero", "-o", out, in)
	folder := t.TempDir()
	require.NoError(t, os.Link(in, filepath.Join(folder, "model.safetensors")))
	config, err := os.Create(filepath.Join(folder, "config.json"))
	require.NoError(t, err)
	require.NoError(t, config.Truncate(100_000_001)) // takes no room on the disk
	require.NoError(t, config.Close())
	fails(t, exitFailed, []string{"config.json: has 100000001 bytes, want 100000000 at most"}, "inspect", folder)
	require.NoFileExists(t, out)
}
