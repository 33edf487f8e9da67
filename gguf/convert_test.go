package gguf

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// writeModel writes tensors with random weights, and metadata as a model has it, and opens the file.
func writeModel(t *testing.T, metadata []KV, tensors []Info) *File {
	path := filepath.Join(t.TempDir(), "model.gguf")
	w, err := Create(path, metadata, tensors)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(7, 7))
	for _, info := range w.Tensors() {
		x, _ := weights(rng, info.Elements(), 1)
		if info.Type == I32 {
			require.NoError(t, w.WriteTensor(info.Name, bytes.Repeat([]byte{1, 2, 3, 4}, info.Elements()), 0))
			continue
		}
		require.NoError(t, w.WriteTensor(info.Name, quantized(x, Blocks{Type: info.Type}), 0))
	}
	require.NoError(t, w.Commit())
	f, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// smallModel has experts, tensors of all element types, and metadata between which what is set must stay in its place.
func smallModel(t *testing.T) *File {
	metadata := []KV{
		{"general.architecture", "llama"}, {"general.file_type", uint32(1)}, {"llama.block_count", uint32(8)}, {"llama.expert_count", uint32(2)},
		{"tokenizer.ggml.tokens", []string{"<s>", "a", "b"}}, {"tokenizer.ggml.scores", []float32{0, -1, -2}},
	}
	tensors := []Info{
		{Name: "token_embd.weight", Type: F16, Shape: []int{5, 512}},
		{Name: "blk.0.attn_v.weight", Type: F32, Shape: []int{3, 256}},
		{Name: "blk.0.attn_q.weight", Type: BF16, Shape: []int{3, 512}},
		{Name: "blk.0.attn_norm.weight", Type: F32, Shape: []int{256}},
		{Name: "blk.0.ffn_down_exps.weight", Type: BF16, Shape: []int{2, 3, 768}},
		{Name: "blk.0.odd.weight", Type: F16, Shape: []int{2, 100}},
		{Name: "blk.0.table", Type: I32, Shape: []int{7}},
		{Name: "blk.0.none.weight", Type: F16, Shape: []int{0, 256}},
		{Name: "output.weight", Type: F32, Shape: []int{4, 256}},
	}
	return writeModel(t, metadata, tensors)
}

// values reads a tensor.
func values(t *testing.T, f *File, name string) []float32 {
	info, ok := f.Lookup(name)
	require.True(t, ok, name)
	x := make([]float32, info.Elements())
	require.NoError(t, f.Rows(x, name, 0))
	return x
}

// convertTo converts with a preset, and opens what comes of it.
func convertTo(t *testing.T, src *File, preset string, im *Importance, workers int) *File {
	p, err := ParsePreset(preset)
	require.NoError(t, err)
	m := ModelOf(src)
	m.Importance = im != nil
	path := filepath.Join(t.TempDir(), "out.gguf")
	done := int64(0)
	c := Conversion{
		Metadata: p.Metadata(src.Metadata(), im), Types: p.Types(src.Tensors(), m), Importance: im, Workers: workers,
		Progress: func(bytes int64) { done += bytes },
	}
	require.NoError(t, Convert(context.Background(), path, src, c))
	f, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	total := int64(0)
	for _, list := range [][]Info{src.Tensors(), f.Tensors()} {
		for _, info := range list {
			total += info.Size
		}
	}
	require.Equal(t, total, done)
	return f
}

// Each tensor's bytes are those of Quantize, however it is cut into tasks and whoever does them.
func TestConvert(t *testing.T) {
	defer func(n int) { taskLen = n }(taskLen)
	src := smallModel(t)
	im := &Importance{File: "x.imatrix", Datasets: []string{"wiki.txt"}, Chunks: 3, entries: map[string][]float32{}}
	rng := rand.New(rand.NewPCG(8, 8))
	for _, info := range src.Tensors() {
		if info.Name != "blk.0.attn_q.weight" {
			_, im.entries[info.Name] = weights(rng, 0, info.Row()*matrices(info))
		}
	}
	for _, preset := range []string{"q4_k_m", "q4_0", "mxfp4_moe", "q8_0", "iq4_xs", "f16", "bf16", "f32", "q5_1"} {
		for _, im := range []*Importance{nil, im} {
			for _, length := range []int{1 << 20, pieceLen, 256} {
				taskLen = length
				f := convertTo(t, src, preset, im, 1+length%3)
				for _, info := range src.Tensors() {
					to, _ := f.Lookup(info.Name)
					require.Equal(t, info.Shape, to.Shape)
					got, err := f.ReadAll(info.Name)
					require.NoError(t, err)
					if to.Type == info.Type {
						want, err := src.ReadAll(info.Name)
						require.NoError(t, err)
						require.Equal(t, want, got)
						continue
					}
					x := values(t, src, info.Name)
					all, err := im.Weights(info)
					require.NoError(t, err)
					var want []byte
					per := len(x) / matrices(info)
					for k := range matrices(info) {
						b := Blocks{Type: to.Type, Row: info.Row()}
						if all != nil {
							b.Importance = all[k*info.Row() : (k+1)*info.Row()]
						}
						want = append(want, quantized(x[k*per:(k+1)*per], b)...)
					}
					require.True(t, bytes.Equal(want, got), "%s: %s, %v in tasks of %d", preset, info.Name, to.Type, length)
				}
			}
		}
	}
}

// The metadata is that of the source in its order.
func TestConvertMetadata(t *testing.T) {
	src := smallModel(t)
	im := &Importance{File: "x.imatrix", Datasets: []string{"wiki.txt", "other"}, Chunks: 3, entries: map[string][]float32{"a": nil, "b": nil}}
	p, err := ParsePreset("q4_k_m")
	require.NoError(t, err)
	want := append([]KV{}, src.Metadata()...)
	want[1].Value = uint32(15)
	want = append(want, KV{"general.quantization_version", uint32(2)})
	require.Equal(t, want, p.Metadata(src.Metadata(), nil))
	want = append(want, KV{"quantize.imatrix.file", "x.imatrix"}, KV{"quantize.imatrix.dataset", "wiki.txt"},
		KV{"quantize.imatrix.entries_count", uint32(2)}, KV{"quantize.imatrix.chunks_count", uint32(3)})
	require.Equal(t, want, p.Metadata(src.Metadata(), im))
	require.Equal(t, uint32(1), src.Value("general.file_type"), "the source's stays")
}

// A file may be converted onto itself.
func TestConvertInPlace(t *testing.T) {
	src := smallModel(t)
	p, err := ParsePreset("q8_0")
	require.NoError(t, err)
	require.NoError(t, Convert(context.Background(), src.Name(), src, Conversion{Metadata: src.Metadata(), Types: p.Types(src.Tensors(), Model{})}))
	f, err := Open(src.Name())
	require.NoError(t, err)
	defer f.Close()
	info, _ := f.Lookup("output.weight")
	require.Equal(t, Q8_0, info.Type)
}

// What cannot be in a file is named, and nothing is left behind.
func TestConvertErrors(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for name, c := range map[string]struct {
		typ, to Type
		at      int
		value   float32
		want    string
	}{
		"NaN in F32":         {F32, Q4_K, 300, nan, "element 300 is a NaN or an infinity"},
		"Inf in F32":         {F32, Q8_0, 300, inf, "element 300 is a NaN or an infinity"},
		"NaN in F16":         {F16, Q4_0, 511, nan, "element 511 is a NaN or an infinity"},
		"Inf in BF16":        {BF16, MXFP4, 0, -inf, "element 0 is a NaN or an infinity"},
		"Inf that is copied": {F32, F32, 5, -inf, "element 5 is a NaN or an infinity"},
		"NaN that is copied": {BF16, BF16, 5, nan, "element 5 is a NaN or an infinity"},
		"too large for F16":  {F32, F16, 259, 65520, "element 259 is too large for F16"},
		"too large for BF16": {F32, BF16, 260, math.MaxFloat32, "element 260 is too large for BF16"},
		"scale of Q8_0":      {F32, Q8_0, 300, 1e7, "elements 288 to 319 cannot be Q8_0: their scale is a NaN or infinite"},
		"scale of Q4_1":      {F32, Q4_1, 300, -1e5, "elements 288 to 319 cannot be Q4_1"},
		"scale of Q4_K":      {F32, Q4_K, 300, 1e9, "elements 256 to 511 cannot be Q4_K"},
		"scale of Q6_K":      {F32, Q6_K, 300, 1e9, "elements 256 to 511 cannot be Q6_K"},
		"scale of Q2_K":      {F32, Q2_K, 300, -1e9, "elements 256 to 511 cannot be Q2_K"},
		"scale of Q3_K":      {F32, Q3_K, 300, 1e9, "elements 256 to 511 cannot be Q3_K"},
		"scale of IQ4_XS":    {F32, IQ4_XS, 300, 1e9, "elements 256 to 511 cannot be IQ4_XS"},
		"exponent of MXFP4":  {F32, MXFP4, 300, 1.5e-38, "elements 288 to 319 cannot be MXFP4"},
	} {
		t.Run(name, func(t *testing.T) {
			x := make([]float32, 512)
			x[c.at] = c.value
			path := filepath.Join(t.TempDir(), "in.gguf")
			w, err := Create(path, nil, []Info{{Name: "t", Type: c.typ, Shape: []int{2, 256}}})
			require.NoError(t, err)
			require.NoError(t, w.WriteTensor("t", quantized(x, Blocks{Type: c.typ}), 0))
			require.NoError(t, w.Commit())
			src, err := Open(path)
			require.NoError(t, err)
			defer src.Close()
			out := filepath.Join(t.TempDir(), "out.gguf")
			err = Convert(context.Background(), out, src, Conversion{Types: []Type{c.to}, Workers: 2})
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, `in.gguf: tensor "t": `)
			left, err := os.ReadDir(filepath.Dir(out))
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// What Convert refuses before it begins.
func TestConvertRefuses(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.gguf")
	tensors := []Info{{Name: "t", Type: Q8_0, Shape: []int{2, 32}}}
	quantizedAlready := writeModel(t, nil, tensors)
	err := Convert(context.Background(), out, quantizedAlready, Conversion{Types: []Type{Q4_0}})
	require.ErrorContains(t, err, `tensor "t": is Q8_0, quantized already: dequantize it first`)
	part := writeModel(t, []KV{{"split.count", uint16(3)}}, nil)
	require.ErrorContains(t, Convert(context.Background(), out, part, Conversion{}), "is one of the 3 files of a model")
	plain := writeModel(t, nil, []Info{{Name: "t", Type: F32, Shape: []int{2, 32}}, {Name: "u", Type: I32, Shape: []int{4}}})
	require.ErrorContains(t, Convert(context.Background(), out, plain, Conversion{}), "0 types for 2 tensors")
	require.ErrorContains(t, Convert(context.Background(), out, plain, Conversion{Types: []Type{Q4_K, I32}}), "rows of 32 elements are not a multiple of the 256")
	require.ErrorContains(t, Convert(context.Background(), out, plain, Conversion{Types: []Type{IQ2_XS, I32}}), "cannot make IQ2_XS of F32")
	require.ErrorContains(t, Convert(context.Background(), out, plain, Conversion{Types: []Type{F32, F32}}), "cannot make F32 of I32")
	im := &Importance{File: "im.dat", entries: map[string][]float32{"t": make([]float32, 31)}}
	for _, to := range []Type{Q4_0, Q8_0} { // Q8_0 has no use for weights
		require.ErrorContains(t, Convert(context.Background(), out, plain, Conversion{Types: []Type{to, I32}, Importance: im}), `im.dat: tensor "t": 31 weights, want 32`)
		_, unweighed, err := Conversion{Types: []Type{to, I32}, Importance: &Importance{}}.Tensors(plain)
		require.NoError(t, err)
		require.Equal(t, []string{"t"}, unweighed)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, Convert(ctx, out, plain, Conversion{Types: []Type{Q4_0, I32}}), context.Canceled)
	_, err = os.Stat(out)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Both forms of an importance matrix give the same weights.
func TestImportance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	w, err := Create(path, []KV{{"general.type", "imatrix"}, {"imatrix.datasets", []string{"wiki.txt"}}, {"imatrix.chunk_count", uint32(7)}}, []Info{
		{Name: "a.weight.in_sum2", Type: F32, Shape: []int{1, 3}}, {Name: "a.weight.counts", Type: F32, Shape: []int{1, 1}},
		{Name: "e.weight.in_sum2", Type: F32, Shape: []int{2, 2}}, {Name: "e.weight.counts", Type: F32, Shape: []int{2, 1}},
	})
	require.NoError(t, err)
	for name, x := range map[string][]float32{
		"a.weight.in_sum2": {1, 2, 4}, "a.weight.counts": {4}, "e.weight.in_sum2": {6, 9, 5, 5}, "e.weight.counts": {3, 0},
	} {
		require.NoError(t, w.WriteTensor(name, quantized(x, Blocks{Type: F32}), 0))
	}
	require.NoError(t, w.Commit())
	m, err := OpenImportance(path)
	require.NoError(t, err)
	require.Equal(t, []string{"a.weight", "e.weight"}, m.Names())
	require.Equal(t, []string{"wiki.txt"}, m.Datasets)
	require.Equal(t, 7, m.Chunks)
	a, err := m.Weights(Info{Name: "a.weight", Shape: []int{5, 3}})
	require.NoError(t, err)
	require.Equal(t, []float32{0.25, 0.5, 1}, a)
	e, err := m.Weights(Info{Name: "e.weight", Shape: []int{2, 5, 2}})
	require.NoError(t, err)
	require.Equal(t, []float32{2, 3, 1, 1}, e)
	none, err := m.Weights(Info{Name: "b.weight", Shape: []int{5, 3}})
	require.NoError(t, err)
	require.Nil(t, none)
	_, err = m.Weights(Info{Name: "a.weight", Shape: []int{5, 4}})
	require.EqualError(t, err, path+`: tensor "a.weight": 3 weights, want 4 for the shape [5 4]`)
	_, err = m.Weights(Info{Name: "a.weight", Shape: []int{2, 5, 3}})
	require.ErrorContains(t, err, "3 weights, want 6")

	older := frontOf{}.u32(2)
	older = older.older("a.weight", 4, 1, 2, 4)
	older = older.older("e.weight", 0, 6, 9, 5, 5)
	for _, tail := range []frontOf{nil, frontOf{}.u32(7), append(frontOf{}.u32(7).u32(8), "wiki.txt"...)} {
		path := filepath.Join(t.TempDir(), "x.dat")
		require.NoError(t, os.WriteFile(path, append(append(frontOf{}, older...), tail...), 0o600))
		m, err := OpenImportance(path)
		require.NoError(t, err)
		require.Equal(t, map[string][]float32{"a.weight": {0.25, 0.5, 1}, "e.weight": {6, 9, 5, 5}}, m.entries)
	}
}

func (b frontOf) older(name string, calls uint32, sums ...float32) frontOf {
	b = append(b.u32(uint32(len(name))), name...)
	b = b.u32(calls).u32(uint32(len(sums)))
	for _, v := range sums {
		b = b.u32(math.Float32bits(v))
	}
	return b
}

func TestImportanceDamage(t *testing.T) {
	file := func(tensors ...any) frontOf {
		b := start(3, uint64(len(tensors)/2), 0)
		data := frontOf{}
		for i := 0; i < len(tensors); i += 2 {
			x := tensors[i+1].([]float32)
			b = b.info(tensors[i].(string), F32, uint64(len(data)), uint64(len(x)))
			for _, v := range x {
				data = data.u32(math.Float32bits(v))
			}
			data = data.data(0)
		}
		return append(b.data(0), data...)
	}
	for name, c := range map[string]struct {
		file frontOf
		want string
	}{
		"no counts":    {file("a.in_sum2", []float32{1}), `tensor "a.in_sum2": there is no tensor "a.counts"`},
		"no sums":      {file("a.counts", []float32{1}), `tensor "a.counts": there is no tensor "a.in_sum2"`},
		"a model":      {file("a.weight", []float32{1}), "no importance matrix"},
		"counts":       {file("a.in_sum2", []float32{1, 2, 3}, "a.counts", []float32{1, 1}), "want F32 and one count for each row"},
		"NaN":          {file("a.in_sum2", []float32{1, float32(math.NaN())}, "a.counts", []float32{1}), `"a": weight 1 is NaN`},
		"negative":     {file("a.in_sum2", []float32{-1}, "a.counts", []float32{1}), `"a": weight 0 is -1`},
		"no entries":   {frontOf{}.u32(0), "0 entries in the 0 bytes"},
		"many entries": {frontOf{}.u32(1 << 30).u64(0), "1073741824 entries in the 8 bytes"},
		"long name":    {frontOf{}.u32(1).u32(1 << 20).u64(0).u64(0), "a name of 1048576 bytes, where 16 are left"},
		"no name":      {frontOf{}.u32(1).u32(0).u64(0).u64(0), "an entry has no name"},
		"many values":  {append(frontOf{}.u32(1).u32(1), 'a').u32(1).u32(1 << 30).u64(0), `"a": byte 17: 1073741824 values in the 8 bytes`},
		"twice":        {frontOf{}.u32(2).older("a", 1, 1).older("a", 1, 1), `"a": two entries`},
		"cut":          {frontOf{}.u32(2).older("a", 1, 1, 2, 3, 4, 5, 6, 7), "4 bytes are wanted, the file ends after 0"},
		"behind":       {append(frontOf{}.u32(1).older("a", 1, 1).u32(7).u32(1), 'x', 'y'), "1 bytes behind the end"},
		"a short file": {frontOf("GG"), "4 bytes are wanted, the file ends after 2"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.dat")
			require.NoError(t, os.WriteFile(path, c.file, 0o600))
			_, err := OpenImportance(path)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
		})
	}
	_, err := OpenImportance(t.TempDir())
	require.ErrorContains(t, err, "is a directory")
}

// Blocks that llama.cpp would refuse are found, wherever their scales are.
func TestInvalid(t *testing.T) {
	for _, typ := range Types() {
		blocks := quantized(make([]float32, 512), Blocks{Type: typ})
		require.Equal(t, -1, Invalid(blocks, typ), "%v", typ)
		for _, at := range scalePlaces[typ] {
			for _, h := range []uint16{0x7c00, 0xfc00, 0x7e00} {
				bad := append([]byte{}, blocks...)
				last := len(bad) - typ.BlockBytes()
				binary.LittleEndian.PutUint16(bad[last+at:], h)
				require.Equal(t, len(bad)/typ.BlockBytes()-1, Invalid(bad, typ), "%v", typ)
			}
		}
	}
	blocks := make([]byte, 34)
	blocks[17] = 255
	require.Equal(t, 1, Invalid(blocks, MXFP4))
	require.Equal(t, 1, Invalid(binary.LittleEndian.AppendUint32(make([]byte, 4), 0xff800000), F32))
	require.Equal(t, 1, Invalid([]byte{0, 0, 0, 0x7c}, F16))
	require.Equal(t, 1, Invalid([]byte{0, 0, 0x80, 0x7f}, BF16))
}

// An importance matrix of the older form, whatever its bytes are, is read or refused.
func FuzzImportance(f *testing.F) {
	f.Add([]byte(frontOf{}.u32(1).older("a", 1, 1, 2).u32(7).u32(0)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := readImportance(bytes.NewReader(data), int64(len(data)), "x"); err == nil && len(m.Names()) == 0 {
			t.Fatal("no entries")
		}
	})
}
