package checkpoint

import (
	"slices"

	"github.com/lowbit-go/lowbit/kernels"
)

// gptq are codes whose rows are the columns of what is stored: codes [in*bits/32, out], a bit stream down each column; zero points
// [groups, out*bits/32], one along each row; scales [groups, out].
//
//	w[o][i] = (q - (stored zero + plus)) * scale[group of i][o]
type gptq struct {
	codes, zeros Stored
	scale        scales
	bits         int
	plus         int32 // 1 in version 1
	in, out      int
	groups       int
	index        []int32 // the group of each input
	size         int     // of groups, 0 if inputs are in any order
}

func (*gptq) step() int { return 32 } // whole words of zero points

// columnBytes is how much of a transposed matrix is read at a time, fewestCols how little of a row is worth a call, and cacheBytes how much of the
// columns is made rows at once, while a core's cache has it.
const (
	columnBytes = 4 << 20
	fewestCols  = 32
	cacheBytes  = 512 << 10
)

// streamStride is how many words apart the streams of neighbours lie: not so that all begin in the same set of a cache.
func streamStride(words int) int { return words + 16 }

// readGPTQ reads rows.
func readGPTQ[T kernels.Float](l *gptq, s *scratch, dst []T, first int) error {
	words := l.in * l.bits / 32
	for len(dst) > 0 {
		n := min(len(dst)/l.in, max(fewestCols, columnBytes/(4*words)))
		p, err := l.params(s, first, n)
		if err != nil {
			return err
		}
		// What was a stream down each column is one along each row.
		stride := streamStride(words)
		streams := lend[uint32](&s.codes, n*stride)
		some := max(1, cacheBytes/(4*n))
		for w := 0; w < words; w += some {
			some := min(some, words-w)
			stored := lend[uint32](&s.column, some*n)
			if err := readColumns(l.codes, s, stored, w, some, l.out, first, n); err != nil {
				return err
			}
			transposeTiles(s, streams[w:], stride, stored, n, some, n)
		}
		p = p.transpose(s, l.groups, n)
		for j := range n {
			readStream(s, dst[j*l.in:][:l.in], streams[j*stride:][:words], p.slice(j*l.groups, l.groups), l.bits, l.index, l.size)
		}
		dst, first = dst[n*l.in:], first+n
	}
	return nil
}

// readStream gives the values of a row that is a stream of words. Groups are of that size, 0 if inputs are in any order.
func readStream[T kernels.Float](s *scratch, dst []T, stream []uint32, p params, bits int, index []int32, size int) {
	most := 1<<bits - 1
	// A zero point may be above every code, as version 1 makes it of a stored one that has all bits set.
	if size == 0 || len(dst)%size != 0 || p.odd() || int(slices.Max(p.zero)) > most {
		lookUpStream(s, dst, stream, p, bits, index)
		return
	}
	toggleEndian(stream)
	codes := bytesOf(stream)[:(len(dst)*bits+7)/8]
	given := &kernels.IntParams{Format: streamFormats[bits], Max: most, Scale: p.scale, ZeroPoint: p.zero}
	if bits == 3 {
		wider := lend[uint8](&s.bytes, len(dst))
		unpackBits(wider, codes, bits)
		codes = wider
	}
	kernels.DequantizeInt(dst, codes, kernels.Grid{Rows: 1, Groups: len(p.scale), Len: size}, given)
}

// streamFormats are how kernels read streams of so many bits; those of 3 are unpacked.
var streamFormats = [9]kernels.Format{2: kernels.Uint2, 3: kernels.Uint8, 4: kernels.Uint4, 8: kernels.Uint8}

// lookUpStream is readStream for any groups and parameters.
func lookUpStream[T kernels.Float](s *scratch, dst []T, stream []uint32, p params, bits int, index []int32) {
	if bits == 8 {
		values := lend[float32](&s.values, len(dst))
		readBytes(values, stream, p, index)
		narrow(dst, values)
		return
	}
	lookUp(dst, stream, codeTable[T](s, p, bits), index, bits)
}

// params reads the parameters of some columns: those of all columns of a group, and then of the next.
func (l *gptq) params(s *scratch, first, n int) (params, error) {
	p := params{zero: lend[int32](&s.zero, l.groups*n)}
	var err error
	if p.scale, err = l.scale.readColumns(s, l.groups, l.out, first, n); err != nil {
		return p, err
	}
	begin, end := first*l.bits/32, ((first+n)*l.bits+31)/32
	words := lend[uint32](&s.stored, l.groups*(end-begin))
	if err := readColumns(l.zeros, s, words, 0, l.groups, l.out*l.bits/32, begin, end-begin); err != nil {
		return p, err
	}
	mask := uint32(1)<<l.bits - 1
	for g := range l.groups {
		row := words[g*(end-begin):][:end-begin]
		for j := range n {
			bit := (first+j)*l.bits - 32*begin
			v := row[bit/32] >> (bit % 32)
			if bit%32+l.bits > 32 {
				v |= row[bit/32+1] << (32 - bit%32)
			}
			p.zero[g*n+j] = int32(v&mask) + l.plus
		}
	}
	return p, nil
}

// readColumns reads the scales of n columns from one on, of all rows.
func (c *scales) readColumns(s *scratch, rows, cols, first, n int) ([]float32, error) {
	all := lend[float32](&s.scale, rows*n)
	if n == cols {
		return all, c.read(s, all, 0)
	}
	for r := range rows {
		if err := c.read(s, all[r*n:][:n], r*cols+first); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// transpose gives the parameters of all groups of a column, and then of the next.
func (p params) transpose(s *scratch, groups, cols int) params {
	t := params{scale: lend[float32](&s.minval, len(p.scale)), zero: lend[int32](&s.gathered, len(p.zero))}
	transposeWords(t.scale, groups, p.scale, cols, groups, cols)
	transposeWords(t.zero, groups, p.zero, cols, groups, cols)
	return t
}

// codeTable has the values of all codes in all groups of a row.
func codeTable[T kernels.Float](s *scratch, p params, bits int) []T {
	codes := 1 << bits
	wide := lend[float32](&s.values, len(p.scale)*codes)
	for g, scale := range p.scale {
		for q := range codes {
			wide[g*codes+q] = float32(int32(q)-p.zero[g]) * scale
		}
	}
	if same, ok := any(wide).([]T); ok {
		return same
	}
	table := lend[T](&s.table, len(wide))
	narrow(table, wide)
	return table
}

// lookUp looks the values of a bit stream's codes up.
func lookUp[T kernels.Float](dst []T, stream []uint32, table []T, index []int32, bits int) {
	index = index[:len(dst)]
	done := 0
	switch bits {
	case 4: // without a loop, which takes longer than what it does
		done = len(dst) / 8 * 8
		for k, w := range stream[:done/8] {
			y, g, w := (*[8]T)(dst[8*k:]), (*[8]int32)(index[8*k:]), int(w)
			y[0] = table[int(g[0])<<4+w&15]
			y[1] = table[int(g[1])<<4+w>>4&15]
			y[2] = table[int(g[2])<<4+w>>8&15]
			y[3] = table[int(g[3])<<4+w>>12&15]
			y[4] = table[int(g[4])<<4+w>>16&15]
			y[5] = table[int(g[5])<<4+w>>20&15]
			y[6] = table[int(g[6])<<4+w>>24&15]
			y[7] = table[int(g[7])<<4+w>>28&15]
		}
	case 2:
		done = len(dst) / 16 * 16
		for k, w := range stream[:done/16] {
			y, g := dst[16*k:][:16], index[16*k:][:16]
			for i := range 16 {
				y[i] = table[int(g[i])<<2|int(w>>(2*i)&3)]
			}
		}
	}
	mask := uint32(1)<<bits - 1
	for i := done; i < len(dst); i++ {
		bit := i * bits
		v := stream[bit/32] >> (bit % 32)
		if bit%32+bits > 32 {
			v |= stream[bit/32+1] << (32 - bit%32)
		}
		dst[i] = table[int(index[i])<<bits|int(v&mask)]
	}
}

// readBytes gives the values of codes of a byte.
func readBytes(dst []float32, stream []uint32, p params, index []int32) {
	for k, w := range stream {
		y, g := dst[4*k:][:4], index[4*k:][:4]
		for i := range 4 {
			y[i] = float32(int32(w>>(8*i)&255)-p.zero[g[i]]) * p.scale[g[i]]
		}
	}
}

// awq are codes of four bits whose rows are the columns of what is stored: codes [in, out/8], eight columns to a word in a order of their
// own; zero points [groups, out/8] alike; scales [groups, out].
//
//	w[o][i] = (q - zero) * scale[i / group size][o]
type awq struct {
	codes, zeros Stored
	scale        scales
	in, out      int
	groups       int
	index        []int32
	size         int
}

// awqNibble is where a word has each of its eight columns.
var awqNibble = [8]int{0, 4, 1, 5, 2, 6, 3, 7}

func (*awq) step() int { return 8 }

// readAWQ reads rows.
func readAWQ[T kernels.Float](l *awq, s *scratch, dst []T, first int) error {
	for len(dst) > 0 {
		n := min(len(dst)/l.in, max(fewestCols, columnBytes*2/l.in))
		begin, end := first/8, (first+n+7)/8
		words := end - begin
		p, err := l.params(s, first, n)
		if err != nil {
			return err
		}
		length := (l.in + 7) / 8
		stride := streamStride((length + 15) / 16 * 16)
		streams := lend[uint32](&s.codes, 8*words*stride)
		some := max(1, cacheBytes/(4*words)/tileRows) * tileRows
		for i := 0; i < l.in; i += some {
			some := min(some, l.in-i)
			codes := lend[uint32](&s.column, some*words)
			if err := readColumns(l.codes, s, codes, i, some, l.out/8, begin, words); err != nil {
				return err
			}
			transposeNibbles(s, streams[i/8:], stride, codes, words, some, words, &awqNibble)
		}
		p = p.transpose(s, l.groups, n)
		for j := range n {
			readStream(s, dst[j*l.in:][:l.in], streams[(first+j-8*begin)*stride:][:length], p.slice(j*l.groups, l.groups), 4, l.index, l.size)
		}
		dst, first = dst[n*l.in:], first+n
	}
	return nil
}

// params reads the parameters of some columns: those of all columns of a group, and then of the next.
func (l *awq) params(s *scratch, first, n int) (params, error) {
	p := params{zero: lend[int32](&s.zero, l.groups*n)}
	var err error
	if p.scale, err = l.scale.readColumns(s, l.groups, l.out, first, n); err != nil {
		return p, err
	}
	begin := first / 8
	words := (first+n+7)/8 - begin
	zeros := lend[uint32](&s.stored, l.groups*words)
	if err := readColumns(l.zeros, s, zeros, 0, l.groups, l.out/8, begin, words); err != nil {
		return p, err
	}
	for g := range l.groups {
		for j := range n {
			o := first + j
			p.zero[g*n+j] = int32(zeros[g*words+o/8-begin] >> (4 * awqNibble[o%8]) & 15)
		}
	}
	return p, nil
}
