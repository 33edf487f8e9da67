package safetensors

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDevices(t *testing.T) {
	writeAll(t, os.DevNull, nil, every())
	stat, err := os.Stat(os.DevNull)
	require.NoError(t, err)
	assert.NotZero(t, stat.Mode()&fs.ModeCharDevice)

	w, err := Create(os.DevNull, nil, scalar)
	require.NoError(t, err)
	assert.NoError(t, w.Close())

	_, err = Create("/dev/full", nil, scalar)
	assert.ErrorIs(t, err, syscall.ENOSPC)
	assert.EqualError(t, err, "/dev/full: no space left on device")

	_, err = Open(os.DevNull)
	assert.EqualError(t, err, os.DevNull+": is not a regular file")
}

// Opening a pipe without a partner waits for one, so it must be refused unopened.
func TestNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o666))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := Create(path, nil, scalar)
		assert.EqualError(t, err, path+": is not a regular file")
		_, err = Open(path)
		assert.EqualError(t, err, path+": is not a regular file")
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("waited for the pipe's other end")
	}
}

// A write that fails half-way leaves nothing behind.
func TestDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	w, err := Create(path, nil, []Info{{Name: "x", DType: U8, Shape: ShapeOf(8)}})
	require.NoError(t, err)
	defer w.Close()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	file := w.out.Out.File
	w.out.Out.File = full
	err = w.WriteTensor("x", make([]byte, 8), 0)
	w.out.Out.File = file
	assert.EqualError(t, err, path+`: tensor "x": no space left on device`)
	assert.EqualError(t, w.Commit(), path+`: tensor "x": 0 bytes written, want 8`)
	assert.Empty(t, names(t, dir))
}
