package safetensors

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// image is a file with the given header, padded or not, and data.
func image(header string, data []byte) []byte {
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(file, header...), data...)
}

func openBytes(file []byte) (*File, error) {
	return NewFile(bytes.NewReader(file), int64(len(file)), "in")
}

// counting gives n bytes that tell their position.
func counting(n int64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// writeAll writes a file whose tensors hold counting bytes.
func writeAll(t *testing.T, path string, metadata map[string]string, tensors []Info) {
	t.Helper()
	w, err := Create(path, metadata, tensors)
	require.NoError(t, err)
	defer w.Close()
	for _, info := range w.Tensors() {
		require.NoError(t, w.WriteTensor(info.Name, counting(info.Size), 0))
	}
	require.NoError(t, w.Commit())
}

// names lists a folder, hidden files too.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(b)
}
