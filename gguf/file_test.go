package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/internal/race"
)

// Both small files, read by position: metadata, infos, and the values of all tensors.
func TestTinyFiles(t *testing.T) {
	values := openGolden(t, "tiny.safetensors")
	for name, alignment := range map[string]int64{"tiny_a32.gguf": 32, "tiny_a64.gguf": 64} {
		f, err := Open("testdata/" + name)
		require.NoError(t, err)
		defer f.Close()
		require.Equal(t, 3, f.Version())
		require.Equal(t, alignment, f.header.alignment)
		require.Equal(t, uint64(1<<40), f.Value("u64"))
		require.Equal(t, int8(-3), f.Value("i8"))
		require.Equal(t, uint32(1), f.Value("llama.block_count"))
		require.Len(t, f.Value("arr.s"), 3)
		require.IsType(t, []string{}, f.Value("arr.s"))
		require.Nil(t, f.Value("none"))
		cube, ok := f.Lookup("f32.3d")
		require.True(t, ok)
		require.Equal(t, []int{2, 3, 5}, cube.Shape)
		decoded := 0
		for _, info := range f.Tensors() {
			if info.Type == F32 {
				continue
			}
			want := values.floats(info.Name)
			got := make([]float32, info.Elements())
			require.NoError(t, f.Rows(got, info.Name, 0))
			require.Equal(t, want, got, info.Name)
			last := got[:info.Row()]
			require.NoError(t, f.Row(last, info.Name, info.Rows()-1))
			require.Equal(t, want[len(want)-info.Row():], last, info.Name)
			decoded++
		}
		require.Equal(t, 8, decoded)
	}
}

// A file that is copied by the Writer has the same bytes.
func TestCopy(t *testing.T) {
	for _, name := range []string{"tiny_a32.gguf", "tiny_a64.gguf"} {
		want, err := os.ReadFile("testdata/" + name)
		require.NoError(t, err)
		f, err := NewFile(bytes.NewReader(want), int64(len(want)), name)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "copy.gguf")
		copyFile(t, path, f)
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), name)
	}
}

func copyFile(t *testing.T, path string, f *File) {
	w, err := Create(path, f.Metadata(), f.Tensors())
	require.NoError(t, err)
	for _, info := range f.Tensors() {
		data, err := f.ReadAll(info.Name)
		require.NoError(t, err)
		half := len(data) / 2
		require.NoError(t, w.WriteTensor(info.Name, data[half:], int64(half)))
		require.NoError(t, w.WriteTensor(info.Name, data[:half], 0))
	}
	require.NoError(t, w.Commit())
	require.NoError(t, w.Close())
}

// Values of every type are what they were.
func TestMetadata(t *testing.T) {
	metadata := []KV{
		{"u8", uint8(200)}, {"i8", int8(-100)}, {"u16", uint16(60000)}, {"i16", int16(-30000)}, {"u32", uint32(4e9)}, {"i32", int32(-2e9)},
		{"u64", uint64(math.MaxUint64)}, {"i64", int64(math.MinInt64)}, {"f32", float32(1.5)}, {"f64", math.Pi}, {"yes", true}, {"no", false},
		{"text", "ärger\x00\xff"}, {"empty", ""}, {"a.u8", []uint8{1, 2}}, {"a.i8", []int8{-1}}, {"a.u16", []uint16{3}}, {"a.i16", []int16{-3}},
		{"a.u32", []uint32{5}}, {"a.i32", []int32{-5, 5}}, {"a.u64", []uint64{6}}, {"a.i64", []int64{-6}}, {"a.f32", []float32{0.5}},
		{"a.f64", []float64{0.25}}, {"a.bool", []bool{true, false}}, {"a.text", []string{"a", "", string(make([]byte, 70000))}},
		{"a.none", []string{}}, {"long", make([]int32, 20000)},
	}
	path := filepath.Join(t.TempDir(), "x.gguf")
	w, err := Create(path, metadata, nil)
	require.NoError(t, err)
	require.NoError(t, w.Commit())
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, metadata, f.Metadata())
}

// A type that has no name here is listed, and copied with all bytes up to the next tensor.
func TestUnknownTypes(t *testing.T) {
	tensors := []Info{{Name: "a", Type: 41, Shape: []int{2, 128}, Size: 36}, {Name: "b", Type: F32, Shape: []int{3}}, {Name: "c", Type: 1000, Shape: []int{7}, Size: 5}}
	path := filepath.Join(t.TempDir(), "x.gguf")
	w, err := Create(path, nil, tensors)
	require.NoError(t, err)
	for i, info := range w.Tensors() {
		require.NoError(t, w.WriteTensor(info.Name, bytes.Repeat([]byte{byte(i + 1)}, int(info.Size)), 0))
	}
	require.NoError(t, w.Commit())
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, []string{"Q1_0", "F32", "type 1000"}, []string{f.Tensors()[0].Type.String(), f.Tensors()[1].Type.String(), f.Tensors()[2].Type.String()})
	a, _ := f.Lookup("a")
	require.Equal(t, int64(64), a.Size)
	data, err := f.ReadAll("a")
	require.NoError(t, err)
	require.Equal(t, append(bytes.Repeat([]byte{1}, 36), make([]byte, 28)...), data)
	require.ErrorContains(t, f.Row(make([]float32, 128), "a", 0), `tensor "a": cannot decode Q1_0`)
	again := filepath.Join(t.TempDir(), "y.gguf")
	copyFile(t, again, f)
	one, err := os.ReadFile(path)
	require.NoError(t, err)
	two, err := os.ReadFile(again)
	require.NoError(t, err)
	require.Equal(t, one, two)
}

// frontOf builds the front of a file by hand.
type frontOf []byte

func (b frontOf) u32(v uint32) frontOf { return binary.LittleEndian.AppendUint32(b, v) }
func (b frontOf) u64(v uint64) frontOf { return binary.LittleEndian.AppendUint64(b, v) }
func (b frontOf) text(s string) frontOf {
	return append(b.u64(uint64(len(s))), s...)
}
func (b frontOf) info(name string, t Type, offset uint64, ne ...uint64) frontOf {
	b = b.text(name).u32(uint32(len(ne)))
	for _, n := range ne {
		b = b.u64(n)
	}
	return b.u32(uint32(t)).u64(offset)
}

// data pads the front and appends so many bytes.
func (b frontOf) data(n int) frontOf {
	return append(b, make([]byte, int(padded(int64(len(b)), 32))-len(b)+n)...)
}

func start(version uint32, tensors, pairs uint64) frontOf {
	return frontOf("GGUF").u32(version).u64(tensors).u64(pairs)
}

// Each lie is one error that names it, and takes no memory for what is not there.
func TestDamage(t *testing.T) {
	overflows := "overflows"
	if math.MaxInt == math.MaxInt32 {
		overflows = "axis of" // so many elements that an int cannot count one axis of them
	}
	const huge = math.MaxUint64
	long := string(bytes.Repeat([]byte{'n'}, 64))
	for name, c := range map[string]struct {
		file frontOf
		want string
	}{
		"empty":                {nil, "file is empty"},
		"short":                {frontOf("GG"), `not a GGUF file: begins with "GG"`},
		"other":                {frontOf("<html>"), `not a GGUF file: begins with "<htm"`},
		"cut":                  {frontOf("GGUF\x03"), "byte 4: 4 bytes are wanted, the file ends after 1"},
		"version 1":            {start(1, 0, 0), "version 1 is not supported"},
		"version 4":            {start(4, 0, 0), "version 4 is not supported"},
		"big-endian":           {start(3<<24, 0, 0), "version 3 is written big-endian"},
		"many tensors":         {start(3, huge, 0), "18446744073709551615 tensors do not fit"},
		"many pairs":           {start(3, 0, 1<<40), "1099511627776 pairs of metadata do not fit"},
		"long key":             {start(3, 0, 1).u64(1 << 50).u64(0).u64(0), "string of 1125899906842624 bytes"},
		"empty key":            {start(3, 0, 1).text("").u32(kindUint32).u32(0).u64(0), "a key is empty"},
		"key twice":            {start(3, 0, 2).text("k").u32(kindUint32).u32(0).text("k").u32(kindUint32).u32(0), `key "k" twice`},
		"key not UTF-8":        {start(3, 0, 1).text("\xff").u32(kindUint32).u32(0), `key "\xff" is not valid UTF-8`},
		"value of no type":     {start(3, 0, 1).text("k").u32(13).u64(0), `metadata "k": byte 37: value of the unknown type 13`},
		"bool of 2":            {append(start(3, 0, 1).text("k").u32(kindBool), 2, 0, 0), "bool with the byte 2"},
		"array of arrays":      {start(3, 0, 1).text("k").u32(kindArray).u32(kindArray).u64(1).u32(0).u64(0), "array of arrays"},
		"array of no type":     {start(3, 0, 1).text("k").u32(kindArray).u32(99).u64(1).u32(0), "array of values of the unknown type 99"},
		"long array":           {start(3, 0, 1).text("k").u32(kindArray).u32(kindUint64).u64(1 << 60).u64(0), "array of 1152921504606846976 values"},
		"long texts":           {start(3, 0, 1).text("k").u32(kindArray).u32(kindString).u64(1 << 30).u64(0), "array of 1073741824 values"},
		"alignment 0":          {start(3, 0, 1).text(alignmentKey).u32(kindUint32).u32(0), "0 is not a power of two"},
		"alignment 24":         {start(3, 0, 1).text(alignmentKey).u32(kindUint32).u32(24), "24 is not a power of two"},
		"alignment int32":      {start(3, 0, 1).text(alignmentKey).u32(kindInt32).u32(32), "is int32, want uint32"},
		"name of 64":           {start(3, 1, 0).info(long, F32, 0, 1).data(4), "name of 64 bytes, want at most 63"},
		"name not UTF-8":       {start(3, 1, 0).info("\xff", F32, 0, 1).data(4), "the name is not valid UTF-8"},
		"name twice":           {start(3, 2, 0).info("t", F32, 0, 1).info("t", F32, 32, 1).data(64), `tensor "t": byte 66: named twice`},
		"5 axes":               {start(3, 1, 0).info("t", F32, 0, 1, 1, 1, 1, 1).data(4), "5 axes, want at most 4"},
		"negative axis":        {start(3, 1, 0).info("t", F32, 0, huge).data(4), "axis of 18446744073709551615 elements"},
		"overflow":             {start(3, 1, 0).info("t", F32, 0, 1<<40, 1<<40).data(4), overflows},
		"overflow behind 0":    {start(3, 1, 0).info("t", F32, 0, 0, 1<<40, 1<<40).data(4), overflows},
		"bytes overflow":       {start(3, 1, 0).info("t", F32, 0, 1<<62).data(4), overflows},
		"part of a block":      {start(3, 1, 0).info("t", Q4_K, 0, 255, 256).data(144), "rows of 255 elements are not a multiple of the 256 of a block of Q4_K"},
		"offset":               {start(3, 1, 0).info("t", F32, 32, 1).data(36), "offset 32, want 0"},
		"overlap":              {start(3, 2, 0).info("t", F32, 0, 16).info("u", F32, 32, 1).data(64), `tensor "u": offset 32, want 64`},
		"hole":                 {start(3, 2, 0).info("t", F32, 0, 1).info("u", F32, 64, 1).data(68), `tensor "u": offset 64, want 32`},
		"negative offset":      {start(3, 1, 0).info("t", F32, huge, 1).data(4), "offset 18446744073709551615"},
		"data cut":             {start(3, 1, 0).info("t", F32, 0, 2).data(7), "8 bytes at 0 reach past the data's 7 bytes"},
		"data missing":         {start(3, 1, 0).info("t", F32, 0, 2), "8 bytes at 0 reach past the data's 0 bytes"},
		"data left":            {start(3, 1, 0).info("t", F32, 0, 2).data(33), "the tensors have 32 bytes of data, the file 33"},
		"unknown backwards":    {start(3, 3, 0).info("t", F32, 0, 8).info("u", 99, 32, 8).info("v", F32, 0, 8).data(96), `tensor "u": the next tensor begins at 0`},
		"unknown unaligned":    {start(3, 2, 0).info("u", 99, 0, 8).info("v", F32, 33, 8).data(96), `tensor "v": offset 33, want 64`},
		"unknown past the end": {start(3, 2, 0).info("u", 99, 0, 8).info("v", F32, 1<<40, 8).data(96), "the next tensor begins at 1099511627776"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewFile(bytes.NewReader(c.file), int64(len(c.file)), "x.gguf")
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "x.gguf: ")
			e, ok := errors.AsType[*Error](err)
			require.True(t, ok)
			require.Equal(t, "x.gguf", e.File)
		})
	}
	for name, file := range map[string]frontOf{
		"version 2":         start(2, 0, 0),
		"no padding":        start(3, 1, 0).info("t", F32, 0, 2).data(8),
		"padding":           start(3, 1, 0).info("t", F32, 0, 2).data(32),
		"no elements":       start(3, 1, 0).info("t", F32, 0, 0, 5).data(0),
		"scalar":            start(3, 1, 0).info("t", F32, 0).data(4),
		"data of no tensor": start(3, 0, 1).text("k").u32(kindUint32).u32(0).data(0),
	} {
		_, err := NewFile(bytes.NewReader(file), int64(len(file)), "x.gguf")
		require.NoError(t, err, name)
	}
}

func TestOpenErrors(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "none.gguf"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = Open(t.TempDir())
	require.ErrorContains(t, err, "is a directory")
}

// cut is a file that can lose its end.
type cut struct{ data []byte }

func (c *cut) ReadAt(b []byte, off int64) (int, error) { return bytes.NewReader(c.data).ReadAt(b, off) }

func TestShrinking(t *testing.T) {
	data, err := os.ReadFile("testdata/tiny_a32.gguf")
	require.NoError(t, err)
	r := &cut{data}
	f, err := NewFile(r, int64(len(data)), "x.gguf")
	require.NoError(t, err)
	r.data = data[:len(data)-100]
	last := f.Tensors()[len(f.Tensors())-1]
	require.ErrorIs(t, f.ReadTensor(last.Name, make([]byte, last.Size), 0), io.ErrUnexpectedEOF)
	require.ErrorIs(t, f.Rows(make([]float32, last.Elements()), last.Name, 0), io.ErrUnexpectedEOF)
}

func TestRowErrors(t *testing.T) {
	f, err := Open("testdata/tiny_a32.gguf")
	require.NoError(t, err)
	defer f.Close()
	for want, err := range map[string]error{
		`testdata/tiny_a32.gguf: tensor "none": no such tensor`:                                                              f.Row(nil, "none", 0),
		`testdata/tiny_a32.gguf: tensor "w.Q4_K": room for 255 elements, want a row's 256`:                                   f.Row(make([]float32, 255), "w.Q4_K", 0),
		`testdata/tiny_a32.gguf: tensor "w.Q4_K": room for 300 elements, want a multiple of a row's 256`:                     f.Rows(make([]float32, 300), "w.Q4_K", 0),
		`testdata/tiny_a32.gguf: tensor "w.Q4_K": 1 rows from 3 on lie outside its 3`:                                        f.Row(make([]float32, 256), "w.Q4_K", 3),
		`testdata/tiny_a32.gguf: tensor "w.Q4_K": 1 rows from -1 on lie outside its 3`:                                       f.Row(make([]float32, 256), "w.Q4_K", -1),
		`testdata/tiny_a32.gguf: tensor "w.Q4_K": 4 rows from 0 on lie outside its 3`:                                        f.Rows(make([]float32, 1024), "w.Q4_K", 0),
		fmt.Sprintf(`testdata/tiny_a32.gguf: tensor "w.Q4_K": 4 bytes at 430 lie outside its %d bytes`, 3*Q4_K.BlockBytes()): f.ReadTensor("w.Q4_K", make([]byte, 4), 430),
	} {
		require.EqualError(t, err, want)
	}
}

// What is not committed, or not complete, leaves nothing behind, and an earlier file as it was.
func TestWriterIsWholeOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.gguf")
	require.NoError(t, os.WriteFile(path, []byte("before"), 0o600))
	tensors := []Info{{Name: "t", Type: F32, Shape: []int{2}}}
	for range 2 {
		w, err := Create(path, nil, tensors)
		require.NoError(t, err)
		require.NoError(t, w.WriteTensor("t", make([]byte, 4), 0))
		require.ErrorContains(t, w.Commit(), `x.gguf: tensor "t": 4 bytes written, want 8`)
		require.ErrorIs(t, w.Commit(), os.ErrClosed)
	}
	w, err := Create(path, nil, tensors)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "before", string(data))
	w, err = Create(path, nil, tensors)
	require.NoError(t, err)
	require.NoError(t, w.WriteTensor("t", make([]byte, 8), 0))
	require.NoError(t, w.Commit())
	stat, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), stat.Mode().Perm())
	f, err := Open(path)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestCreateErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	for want, try := range map[string]struct {
		metadata []KV
		tensors  []Info
	}{
		`metadata: key "k" twice`:                            {[]KV{{"k", uint8(1)}, {"k", uint8(1)}}, nil},
		`metadata: a key is empty`:                           {[]KV{{"", uint8(1)}}, nil},
		`metadata "k": the format has no values of type int`: {[]KV{{"k", 1}}, nil},
		`metadata "general.alignment": 3 is not a power`:     {[]KV{{alignmentKey, uint32(3)}}, nil},
		`tensor "t": named twice`:                            {nil, []Info{{Name: "t"}, {Name: "t"}}},
		`rows of 31 elements are not a multiple`:             {nil, []Info{{Name: "t", Type: Q8_0, Shape: []int{31}}}},
		`axis 0 has the negative length -1`:                  {nil, []Info{{Name: "t", Shape: []int{-1}}}},
		`5 axes, want at most 4`:                             {nil, []Info{{Name: "t", Shape: []int{1, 1, 1, 1, 1}}}},
	} {
		_, err := Create(path, try.metadata, try.tensors)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
	}
	_, err := os.Stat(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// Rows allocates nothing once it has its memory.
func TestRowsAllocations(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector drops what a sync.Pool has")
	}
	f, err := Open("testdata/tiny_a32.gguf")
	require.NoError(t, err)
	defer f.Close()
	row := make([]float32, 256)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if err := f.Row(row, "w.Q6_K", 1); err != nil {
			t.Fatal(err)
		}
	}))
}

func TestTypes(t *testing.T) {
	require.Len(t, Types(), 17)
	require.True(t, slices.IsSorted(Types()))
	for _, typ := range Types() {
		same, err := ParseType(typ.String())
		require.NoError(t, err)
		require.Equal(t, typ, same)
		require.Zero(t, pieceLen%typ.BlockLen())
	}
	typ, err := ParseType("q4_k")
	require.NoError(t, err)
	require.Equal(t, Q4_K, typ)
	_, err = ParseType("q4_k_m")
	require.ErrorContains(t, err, `unknown type "q4_k_m"`)
	require.True(t, IQ2_XS.Known() && !IQ2_XS.Supported() && IQ2_XS.Quantized())
	require.True(t, I64.Known() && !I64.Supported() && !I64.Quantized())
	require.True(t, !Type(77).Known() && Type(77).Quantized())
}
