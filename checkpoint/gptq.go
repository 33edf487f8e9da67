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
	index        []int32  // the group of each input
	places       []uint16 // as placesOf gives them
	size         int      // of groups, 0 if inputs are in any order
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
			readStream(s, dst[j*l.in:][:l.in], streams[j*stride:][:words], p.slice(j*l.groups, l.groups), l.bits, l.index, l.places, l.size)
		}
		dst, first = dst[n*l.in:], first+n
	}
	return nil
}

// readStream gives the values of a row that is a stream of words. Groups are of that size, 0 if inputs are in any order.
func readStream[T kernels.Float](s *scratch, dst []T, stream []uint32, p params, bits int, index []int32, places []uint16, size int) {
	toggleEndian(stream)
	codes, format := bytesOf(stream)[:(len(dst)*bits+7)/8], streamFormats[bits]
	// A zero point may be above every code, as version 1 makes it of a stored one that has all bits set.
	most := 1<<bits - 1
	even := size > 0 && len(dst)%size == 0 && !p.odd() && int(slices.Max(p.zero)) <= most
	if bits == 3 || bits < 8 && !even {
		wider := lend[uint8](&s.bytes, len(dst))
		unpackBits(wider, codes, bits)
		codes = wider
	}
	switch {
	case even:
		given := &kernels.IntParams{Format: format, Max: most, Scale: p.scale, ZeroPoint: p.zero}
		kernels.DequantizeInt(dst, codes, kernels.Grid{Rows: 1, Groups: len(p.scale), Len: size}, given)
	case places == nil:
		values := lend[float32](&s.values, len(dst))
		readEach(values, codes, p, index)
		narrow(dst, values)
	default:
		lookUp(dst, codes, codeTable[T](s, p, bits), places)
	}
}

// streamFormats are how kernels read streams of so many bits; those of 3 are unpacked.
var streamFormats = [9]kernels.Format{2: kernels.Uint2, 3: kernels.Uint8, 4: kernels.Uint4, 8: kernels.Uint8}

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

// tableLen is how many values a table has room for. A place in it is of 16 bits, which needs no check.
const tableLen = 1 << 16

// codeTable has the values of all codes in all groups of a row.
func codeTable[T kernels.Float](s *scratch, p params, bits int) *[tableLen]T {
	table := (*[tableLen]T)(lend[T](&s.table, tableLen))
	n := len(p.scale) << bits
	wide, same := any(table[:n]).([]float32)
	if !same {
		wide = lend[float32](&s.values, n)
	}
	for g, scale := range p.scale {
		group, zero := wide[g<<bits:][:1<<bits], p.zero[g]
		for q := range group {
			v := float32(int32(q)-zero) * scale
			if v != v {
				v = nan
			}
			group[q] = v
		}
	}
	if !same {
		narrow(table[:n], wide)
	}
	return table
}

// lookUp looks the values of codes up.
func lookUp[T kernels.Float](dst []T, codes []uint8, table *[tableLen]T, places []uint16) {
	codes, places = codes[:len(dst)], places[:len(dst)]
	done := len(dst) / 8 * 8
	for i := 0; i < done; i += 8 { // without a loop, which takes longer than what it does
		y, q, p := (*[8]T)(dst[i:]), (*[8]uint8)(codes[i:]), (*[8]uint16)(places[i:])
		y[0] = table[p[0]|uint16(q[0])]
		y[1] = table[p[1]|uint16(q[1])]
		y[2] = table[p[2]|uint16(q[2])]
		y[3] = table[p[3]|uint16(q[3])]
		y[4] = table[p[4]|uint16(q[4])]
		y[5] = table[p[5]|uint16(q[5])]
		y[6] = table[p[6]|uint16(q[6])]
		y[7] = table[p[7]|uint16(q[7])]
	}
	for i := done; i < len(dst); i++ {
		dst[i] = table[places[i]|uint16(codes[i])]
	}
}

// readEach gives the values of codes without a table.
func readEach(dst []float32, codes []uint8, p params, index []int32) {
	zeros := p.zero[:len(p.scale)]
	for i, q := range codes[:len(dst)] {
		g := index[i]
		v := float32(int32(q)-zeros[g]) * p.scale[g]
		if v != v {
			v = nan
		}
		dst[i] = v
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
	index        []int32  // the group of each input
	places       []uint16 // as placesOf gives them
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
			readStream(s, dst[j*l.in:][:l.in], streams[(first+j-8*begin)*stride:][:length], p.slice(j*l.groups, l.groups), 4, l.index, l.places, l.size)
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
