package safetensors

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// every has a tensor of each type, with shapes of several ranks.
func every() []Info {
	shapes := []Shape{ShapeOf(3, 4), ShapeOf(0, 5), ShapeOf(8), ShapeOf(2, 1, 3, 2), {}}
	var tensors []Info
	for dtype := BOOL; dtype.valid(); dtype++ {
		for i, shape := range shapes {
			if shape.Rank() == 0 && dtype.Bits()%8 != 0 {
				continue
			}
			tensors = append(tensors, Info{Name: fmt.Sprintf("%v.%d", dtype, i), DType: dtype, Shape: shape})
		}
	}
	return tensors
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.safetensors")
	metadata := map[string]string{"format": "pt", "spec": `{"dtype":"int4"}`, "": "é\n"}
	tensors := every()
	writeAll(t, path, metadata, tensors)

	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, metadata, f.Metadata())
	require.Len(t, f.Tensors(), len(tensors))
	assert.Zero(t, f.base%8)
	for i, got := range f.Tensors() {
		want := tensors[i]
		assert.Equal(t, want.Name, got.Name)
		assert.Equal(t, want.DType, got.DType)
		assert.Equal(t, want.Shape, got.Shape)
		assert.Equal(t, int64(got.Elements()*got.DType.Bits()/8), got.Size)
		if width := int64(got.DType.Bits() / 8); width > 0 {
			assert.Zero(t, got.Offset%width, "%s is aligned", got.Name)
		}
		data, err := f.ReadAll(got.Name)
		require.NoError(t, err)
		assert.Equal(t, counting(got.Size), data)
	}
}

// The bytes of a small file, by the letter of the format.
func TestBytesOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.safetensors")
	writeAll(t, path, nil, []Info{{Name: "m", DType: U8, Shape: ShapeOf(3)}, {Name: "s", DType: F32}})
	assert.Equal(t, "\x70\x00\x00\x00\x00\x00\x00\x00"+
		`{"m":{"dtype":"U8","shape":[3],"data_offsets":[4,7]},"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}       `+
		"\x00\x07\x0e\x15"+"\x00\x07\x0e", readFile(t, path))
}

func TestSameInputSameBytes(t *testing.T) {
	dir := t.TempDir()
	metadata := map[string]string{}
	for i := range 50 {
		metadata[fmt.Sprint(i)] = "x"
	}
	for _, name := range []string{"a", "b"} {
		writeAll(t, filepath.Join(dir, name), metadata, every())
	}
	assert.Equal(t, readFile(t, dir, "a"), readFile(t, dir, "b"))
}

func TestNoTensors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.safetensors")
	writeAll(t, path, nil, nil)
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	assert.Nil(t, f.Metadata())
	assert.Empty(t, f.Tensors())
}

// Pieces come in any order from several goroutines.
func TestWriteInPieces(t *testing.T) {
	const n, piece = 1 << 16, 1000
	path := filepath.Join(t.TempDir(), "out.safetensors")
	tensors := []Info{{Name: "mask", DType: U8, Shape: ShapeOf(n)}, {Name: "x", DType: F32, Shape: ShapeOf(n / 4)}}
	w, err := Create(path, nil, tensors)
	require.NoError(t, err)
	defer w.Close()
	want := counting(n)

	var wg sync.WaitGroup
	for _, info := range tensors {
		for _, i := range rand.Perm((n + piece - 1) / piece) {
			wg.Go(func() {
				begin := i * piece
				assert.NoError(t, w.WriteTensor(info.Name, want[begin:min(begin+piece, n)], int64(begin)))
			})
		}
	}
	wg.Wait()
	require.NoError(t, w.Commit())

	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	for _, info := range tensors {
		got, err := f.ReadAll(info.Name)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestWriteTensorMisused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.safetensors")
	w, err := Create(path, nil, []Info{{Name: "x", DType: U8, Shape: ShapeOf(4)}, {Name: "y", DType: U8}})
	require.NoError(t, err)
	defer w.Close()
	buf := make([]byte, 3)
	assert.EqualError(t, w.WriteTensor("x", buf, 2), path+`: tensor "x": 3 bytes at 2 lie outside its 4 bytes`)
	assert.EqualError(t, w.WriteTensor("x", buf, -1), path+`: tensor "x": 3 bytes at -1 lie outside its 4 bytes`)
	assert.EqualError(t, w.WriteTensor("z", buf, 0), path+`: tensor "z": no such tensor`)
}

func TestCommitOfHalfAFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.safetensors")
	require.NoError(t, os.WriteFile(path, []byte("earlier"), 0o666))
	w, err := Create(path, nil, []Info{{Name: "x", DType: U8, Shape: ShapeOf(4)}, {Name: "y", DType: U8, Shape: ShapeOf(2)}})
	require.NoError(t, err)
	require.NoError(t, w.WriteTensor("x", make([]byte, 4), 0))
	require.NoError(t, w.WriteTensor("y", make([]byte, 1), 1))
	assert.Equal(t, "earlier", readFile(t, path))
	assert.EqualError(t, w.Commit(), path+`: tensor "y": 1 bytes written, want 2`)

	assert.Equal(t, "earlier", readFile(t, path))
	assert.Equal(t, []string{"out.safetensors"}, names(t, dir))
	assert.ErrorIs(t, w.Commit(), os.ErrClosed)
	assert.NoError(t, w.Close())
}

func TestCloseWithoutCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.safetensors")
	w, err := Create(path, nil, []Info{{Name: "x", DType: U8}})
	require.NoError(t, err)
	require.Len(t, names(t, dir), 1)
	require.NoError(t, w.Close())
	assert.Empty(t, names(t, dir))
	assert.NoError(t, w.Close())
	assert.ErrorIs(t, w.WriteTensor("x", make([]byte, 1), 0), fs.ErrClosed)
	assert.ErrorIs(t, w.Commit(), fs.ErrClosed)
}

// A file may be written while it is read, and appears in its own place.
func TestOutIsIn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.safetensors")
	tensors := []Info{{Name: "x", DType: U8, Shape: ShapeOf(1000)}}
	writeAll(t, path, map[string]string{"pass": "1"}, tensors)

	in, err := Open(path)
	require.NoError(t, err)
	defer in.Close()
	out, err := Create(path, map[string]string{"pass": "2"}, tensors)
	require.NoError(t, err)
	defer out.Close()
	buf := make([]byte, 100)
	for off := int64(0); off < 1000; off += 100 {
		require.NoError(t, in.ReadTensor("x", buf, off))
		for i := range buf {
			buf[i]++
		}
		require.NoError(t, out.WriteTensor("x", buf, off))
	}
	require.NoError(t, in.Close())
	require.NoError(t, out.Commit())

	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, "2", f.Metadata()["pass"])
	got, err := f.ReadAll("x")
	require.NoError(t, err)
	for i, b := range counting(1000) {
		require.Equal(t, b+1, got[i])
	}
	assert.Equal(t, []string{"model.safetensors"}, names(t, dir))
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.safetensors")
	for _, c := range []struct {
		name     string
		metadata map[string]string
		tensors  []Info
		want     string
	}{
		{"name twice", nil, []Info{{Name: "x", DType: U8}, {Name: "x", DType: U8}}, `tensor "x": named twice`},
		{"name of the metadata", nil, []Info{{Name: "__metadata__", DType: U8}}, `tensor "__metadata__": the name is the format's own`},
		{"name in no UTF-8", nil, []Info{{Name: "\xff", DType: U8}}, `tensor "\xff": the name is not valid UTF-8`},
		{"long name in no UTF-8", nil, []Info{{Name: strings.Repeat("\x80", 300), DType: U8}}, `tensor "...": the name is not valid UTF-8`},
		{"key in no UTF-8", map[string]string{"\xff": ""}, nil, `__metadata__: key "\xff" is not valid UTF-8, or its value is not`},
		{"value in no UTF-8", map[string]string{"k": "\xff"}, nil, `__metadata__: key "k" is not valid UTF-8, or its value is not`},
		{"no dtype", nil, []Info{{Name: "x"}}, `tensor "x": unknown dtype DType(0)`},
		{"negative length", nil, []Info{{Name: "x", DType: U8, Shape: ShapeOf(-1)}}, `tensor "x": axis 0 has the negative length -1`},
		{"odd F4", nil, []Info{{Name: "x", DType: F4, Shape: ShapeOf(3)}}, `tensor "x": shape [3] of F4 does not fill whole bytes`},
		{"header too long", map[string]string{"k": strings.Repeat("x", maxHeader)}, nil, `header of 100000032 bytes is over the limit of 100000000`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, err := Create(path, c.metadata, c.tensors)
			assert.Nil(t, w)
			assert.EqualError(t, err, path+": "+c.want)
			assert.Empty(t, names(t, dir))
		})
	}
}

func TestDataTooLongForAFile(t *testing.T) {
	const big = 1 << 30
	var tensors []Info
	for i := range 16 {
		tensors = append(tensors, Info{Name: fmt.Sprint(i), DType: U64, Shape: ShapeOf(big, big/16)})
	}
	if _, err := byteSize(U64, tensors[0].Shape); err != nil {
		t.Skip("such a tensor alone is too large here:", err)
	}
	_, err := Create(filepath.Join(t.TempDir(), "out"), nil, tensors)
	assert.ErrorContains(t, err, `tensor "15": 576460752303423488 bytes behind 8646911284551352320 others are too many for a file`)
}

// Create leaves the caller's descriptions as they are.
func TestCreateCopiesItsInput(t *testing.T) {
	tensors := []Info{{Name: "x", DType: U8, Shape: ShapeOf(2)}, {Name: "y", DType: U8, Shape: ShapeOf(2)}}
	w, err := Create(filepath.Join(t.TempDir(), "out"), nil, tensors)
	require.NoError(t, err)
	defer w.Close()
	assert.Zero(t, tensors[1].Offset)
	tensors[0].Shape = ShapeOf(7)
	assert.Equal(t, ShapeOf(2), w.Tensors()[0].Shape)
	assert.Equal(t, Info{"y", U8, ShapeOf(2), 2, 2}, w.Tensors()[1])
}

func TestLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	metadata := map[string]string{"format": "pt"}
	writeAll(t, path, metadata, every())
	head, tensors, err := Layout(metadata, every())
	require.NoError(t, err)
	assert.Equal(t, readFile(t, path)[:len(head)], string(head))
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, f.Tensors(), tensors)

	_, _, err = Layout(nil, []Info{{Name: "x", DType: U8}, {Name: "x", DType: U8}})
	assert.EqualError(t, err, `tensor "x": named twice`)
}
