package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// raw is a stored tensor of a test.
type raw struct {
	dtype safetensors.DType
	shape []int
	data  []byte
}

// tensors are stored tensors of a test, by their names.
type tensors map[string]raw

// of makes a stored tensor of elements.
func of[E element](dtype safetensors.DType, shape []int, elements ...E) raw {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, elements); err != nil {
		panic(err)
	}
	return raw{dtype, shape, b.Bytes()}
}

// writeFile writes tensors to a file.
func writeFile(t testing.TB, path string, metadata map[string]string, all tensors) {
	t.Helper()
	var infos []safetensors.Info
	for _, name := range slices.Sorted(maps.Keys(all)) {
		infos = append(infos, safetensors.Info{Name: name, DType: all[name].dtype, Shape: safetensors.ShapeOf(all[name].shape...)})
	}
	w, err := safetensors.Create(path, metadata, infos)
	require.NoError(t, err)
	defer w.Close()
	for name, x := range all {
		require.NoError(t, w.WriteTensor(name, x.data, 0))
	}
	require.NoError(t, w.Commit())
}

// loadFile reads all tensors of a file.
func loadFile(t testing.TB, path string) tensors {
	t.Helper()
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	all := tensors{}
	for _, info := range f.Tensors() {
		data, err := f.ReadAll(info.Name)
		require.NoError(t, err)
		all[info.Name] = raw{info.DType, info.Shape.Dims(), data}
	}
	return all
}

// folder writes a checkpoint of one file to a new folder.
func folder(t testing.TB, config string, all tensors) string {
	t.Helper()
	dir := t.TempDir()
	if config != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o666))
	}
	writeFile(t, filepath.Join(dir, "model.safetensors"), map[string]string{"format": "pt"}, all)
	return dir
}

// open opens a checkpoint that the test closes.
func open(t testing.TB, path string) *Checkpoint {
	t.Helper()
	c, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// lookup returns a tensor that is there.
func lookup(t testing.TB, c *Checkpoint, name string) *Tensor {
	t.Helper()
	x, ok := c.Lookup(name)
	require.True(t, ok, name)
	require.NoError(t, x.Err())
	return x
}

// readAll reads all of a tensor in runs of so many rows, as little-endian bytes.
func readAll[T kernels.Float](t testing.TB, x *Tensor, rows int) []byte {
	t.Helper()
	dst := make([]T, x.Elements())
	for r := 0; r < x.Rows(); r += rows {
		n := min(rows, x.Rows()-r)
		require.NoError(t, ReadRows(x, dst[r*x.RowLen():][:n*x.RowLen()], r))
	}
	toggleEndian(dst)
	return bytes.Clone(bytesOf(dst))
}

// readAs is readAll for an element type.
func readAs(t testing.TB, x *Tensor, dtype safetensors.DType, rows int) []byte {
	t.Helper()
	switch dtype {
	case safetensors.F16:
		return readAll[float16.Float16](t, x, rows)
	case safetensors.BF16:
		return readAll[bf16.BFloat16](t, x, rows)
	}
	return readAll[float32](t, x, rows)
}

// digest is the beginning of a SHA-256.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// digests are those of testdata/dequantized.json: of the values of a tensor in each element type.
func digests(t testing.TB) map[string]map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/dequantized.json")
	require.NoError(t, err)
	var all map[string]map[string]map[string]string
	require.NoError(t, json.Unmarshal(text, &all))
	return all
}

// checkDigests reads a tensor in each element type, at once and row by row.
func checkDigests(t *testing.T, x *Tensor, want map[string]string) {
	t.Helper()
	for name, dtype := range map[string]safetensors.DType{"f32": safetensors.F32, "f16": safetensors.F16, "bf16": safetensors.BF16} {
		for _, rows := range []int{x.Rows(), 1, 7} {
			require.Equal(t, want[name], digest(readAs(t, x, dtype, rows)), "%s as %s, %d rows at a time", x.Name(), name, rows)
		}
	}
}
