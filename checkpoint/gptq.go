package checkpoint

import (
	"slices"

	"github.com/lowbit-go/lowbit/kernels"
)

// columns are codes whose rows are the columns of what is stored; scales are [groups, out].
type columns struct {
	codes, zeros Stored
	scale        scales
	bits         int
	in, out      int
	groups       int
	index        []int32 // the group of each input
	size         int     // of groups, 0 if inputs are in any order
}

// gptq are columns with codes [in*bits/32, out], a bit stream down each, and zero points [groups, out*bits/32], one along each row.
//
//	w[o][i] = (q - (stored zero + plus)) * scale[group of i][o]
type gptq struct {
	columns
	plus int32 // 1 in version 1
}

func (*gptq) step() int { return 32 } // whole words of zero points

// columnBytes is how much of a transposed matrix is read at a time, fewestCols how little of a row is worth a call, and cacheBytes how much of the
// columns is made rows at once, while a core's cache has it.
const (
	columnBytes = 4 << 20
	fewestCols  = 32
	cacheBytes  = 256 << 10
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
		even, isEven := l.even(s, p, n)
		across := !isEven && acrossRows(n)
		stride := streamStride(words)
		streams := lend[uint32](&s.codes, n*stride)
		some := max(1, cacheBytes/(4*n)/l.bits) * l.bits // 32 codes are so many words as a code has bits
		for w := 0; w < words; w += some {
			some := min(some, words-w)
			stored := lend[uint32](&s.column, some*n+spare)
			if err := readColumns(l.codes, s, stored[:some*n], w, some, l.out, first, n); err != nil {
				return err
			}
			if across {
				readColumnTiles(l.mixed(p, n), s, dst, stored, n, w*32/l.bits, some*32/l.bits)
			} else { // What was a stream down each column is one along each row.
				transposeTiles(s, streams[w:], stride, stored, n, some, n)
			}
		}
		if !across {
			readStreams(&l.columns, s, dst[:n*l.in], streams, stride, p, even, isEven)
		}
		dst, first = dst[n*l.in:], first+n
	}
	return nil
}

// even gives the parameters of all groups of a column, and then of the next, if all is as kernels take it.
func (l *columns) even(s *scratch, p params, n int) (t params, ok bool) {
	if l.size == 0 || l.in%l.size != 0 {
		return t, false
	}
	t = params{scale: lend[float32](&s.minval, l.groups*n), zero: lend[int32](&s.gathered, l.groups*n)}
	transpose(t.scale, l.groups, p.scale, streamStride(n), l.groups, n)
	transpose(t.zero, l.groups, p.zero, streamStride(n), l.groups, n)
	// A zero point may be above every code, as version 1 makes it of a stored one that has all bits set.
	return t, !t.odd() && int(slices.Max(t.zero)) < 1<<l.bits
}

// mixed are n columns with groups in any order.
func (l *columns) mixed(p params, n int) mixed {
	return mixed{bits: l.bits, index: l.index, scale: p.scale, zero: p.zero, groups: l.groups, stride: streamStride(n), next: 1}
}

// readColumnTiles gives the values of some inputs of all n columns, whose words lie side by side.
func readColumnTiles[T kernels.Float](m mixed, s *scratch, dst []T, words []uint32, n, first, inputs int) {
	for j := 0; j < n; j += mixedRows {
		rows, part := min(mixedRows, n-j), m.from(j)
		for i := 0; i < inputs; i += mixedCols {
			readTile(part, s, dst[j*len(m.index):], rows, first+i, min(mixedCols, inputs-i), words[i*m.bits/32*n+j:], n)
		}
	}
}

// readStreams gives the values of rows that are streams of words.
func readStreams[T kernels.Float](l *columns, s *scratch, dst []T, streams []uint32, stride int, p, even params, isEven bool) {
	n := len(dst) / l.in
	toggleEndian(streams[:n*stride])
	codes := bytesOf(streams)
	if !isEven {
		m := l.mixed(p, n)
		for j := 0; j < n; j += mixedRows {
			rows := min(mixedRows, n-j)
			readMixed(m.from(j), s, dst[j*l.in:][:rows*l.in], codes[4*j*stride:], 4*stride)
		}
		return
	}
	format, isRead := streamFormat(l.bits)
	for j := range n {
		row := codes[4*j*stride:][:(l.in*l.bits+7)/8]
		if !isRead {
			wider := lend[uint8](&s.bytes, l.in)
			unpackBits(wider, row, l.bits)
			row = wider
		}
		given := even.slice(j*l.groups, l.groups)
		kernels.DequantizeInt(dst[j*l.in:][:l.in], row, kernels.Grid{Rows: 1, Groups: l.groups, Len: l.size},
			&kernels.IntParams{Format: format, Max: 1<<l.bits - 1, Scale: given.scale, ZeroPoint: given.zero})
	}
}

// params reads the parameters of some columns.
func (l *gptq) params(s *scratch, first, n int) (params, error) {
	begin, end := first*l.bits/32, ((first+n)*l.bits+31)/32
	p, words, err := l.stored(s, first, n, begin, end)
	mask := uint32(1)<<l.bits - 1
	for g := 0; g < l.groups && err == nil; g++ {
		row, zero := words[g*(end-begin):][:end-begin], p.zero[g*streamStride(n):][:n]
		for j := range zero {
			bit := (first+j)*l.bits - 32*begin
			v := row[bit/32] >> (bit % 32)
			if bit%32+l.bits > 32 {
				v |= row[bit/32+1] << (32 - bit%32)
			}
			zero[j] = int32(v&mask) + l.plus
		}
	}
	return p, err
}

// stored reads the scales of n columns, those of a group streamStride(n) behind those of the one before, with room for spare more behind the last and
// for as many zero points; and the words that have these.
func (l *columns) stored(s *scratch, first, n, begin, end int) (p params, words []uint32, err error) {
	stride := streamStride(n)
	p = params{scale: lend[float32](&s.scale, l.groups*stride+spare), zero: lend[int32](&s.zero, l.groups*stride+spare)}
	for g := range l.groups {
		if err := l.scale.read(s, p.scale[g*stride:][:n], g*l.out+first); err != nil {
			return p, nil, err
		}
	}
	words = lend[uint32](&s.stored, l.groups*(end-begin))
	return p, words, readColumns(l.zeros, s, words, 0, l.groups, l.out*l.bits/32, begin, end-begin)
}

// awq are columns of four bits with codes [in, out/8], eight columns to a word in an order of their own, and zero points [groups, out/8] alike.
//
//	w[o][i] = (q - zero) * scale[i / group size][o]
type awq struct{ columns }

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
		even, isEven := l.even(s, p, n)
		readStreams(&l.columns, s, dst[:n*l.in], streams[(first-8*begin)*stride:], stride, p, even, isEven)
		dst, first = dst[n*l.in:], first+n
	}
	return nil
}

// params reads the parameters of some columns.
func (l *awq) params(s *scratch, first, n int) (params, error) {
	begin, end := first/8, (first+n+7)/8
	p, words, err := l.stored(s, first, n, begin, end)
	for g := 0; g < l.groups && err == nil; g++ {
		zero := p.zero[g*streamStride(n):][:n]
		for j := range zero {
			o := first + j
			zero[j] = int32(words[g*(end-begin)+o/8-begin] >> (4 * awqNibble[o%8]) & 15)
		}
	}
	return p, err
}
