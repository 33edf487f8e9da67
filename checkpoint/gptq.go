package checkpoint

import "github.com/lowbit-go/lowbit/kernels"

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

// columnBytes is how much of a transposed matrix is read at a time, and how little of a row is worth a call.
const (
	columnBytes = 4 << 20
	fewestCols  = 16
)

// readGPTQ reads rows.
func readGPTQ[T kernels.Float](l *gptq, s *scratch, dst []T, first int) error {
	words := l.in * l.bits / 32
	for len(dst) > 0 {
		n := min(len(dst)/l.in, max(fewestCols, columnBytes/(4*words)))
		stored := lend[uint32](&s.column, words*n)
		if err := readColumns(l.codes, stored, words, l.out, first, n); err != nil {
			return err
		}
		// What was a stream down each column is one along each row.
		streams := lend[uint32](&s.codes, words*n)
		transposeWords(streams, stored, words, n)
		p, err := l.params(s, first, n)
		if err != nil {
			return err
		}
		readStreams(s, dst[:n*l.in], streams, p, l.bits, l.index, l.size)
		dst, first = dst[n*l.in:], first+n
	}
	return nil
}

// readStreams gives the values of rows that are streams of words, with parameters of n rows for each group. Groups are of that size, 0 if
// they are in any order.
func readStreams[T kernels.Float](s *scratch, dst []T, streams []uint32, p params, bits int, index []int32, size int) {
	in := len(index)
	n := len(dst) / in
	words := in * bits / 32
	groups := len(p.scale) / n
	if size == 0 || in%size != 0 || p.odd() {
		for j := range n {
			lookUpStream(s, dst[j*in:][:in], streams[j*words:][:words], p, bits, j, n, index)
		}
		return
	}
	codes := bytesOf(streams)
	format := map[int]kernels.Format{2: kernels.Uint2, 4: kernels.Uint4, 8: kernels.Uint8}[bits]
	given := &kernels.IntParams{Format: format, Max: 1<<bits - 1, Scale: lend[float32](&s.values, len(p.scale)), ZeroPoint: lend[int32](&s.gathered, len(p.zero))}
	for g := range groups {
		for j := range n {
			given.Scale[j*groups+g], given.ZeroPoint[j*groups+g] = p.scale[g*n+j], min(p.zero[g*n+j], int32(given.Max))
		}
	}
	toggleEndian(streams)
	if bits == 3 {
		given.Format = kernels.Uint8
		wider := lend[uint8](&s.bytes, len(dst))
		unpackBits(wider, codes, bits)
		codes = wider
	}
	kernels.DequantizeInt(dst, codes, kernels.Grid{Rows: 1, Groups: n * groups, Len: size}, given)
	toggleEndian(streams)
	// A zero point above every code, as version 1 makes it of a stored one that has all bits set.
	for j := range n {
		for g := range groups {
			if int(p.zero[g*n+j]) > given.Max {
				lookUpStream(s, dst[j*in:][:in], streams[j*words:][:words], p, bits, j, n, index)
				break
			}
		}
	}
}

// lookUpStream gives the values of row j of n.
func lookUpStream[T kernels.Float](s *scratch, dst []T, stream []uint32, p params, bits, j, n int, index []int32) {
	if bits == 8 {
		values := lend[float32](&s.values, len(dst))
		readBytes(values, stream, p, j, n, index)
		narrow(dst, values)
		return
	}
	lookUp(dst, stream, columnTable[T](s, p, bits, j, n), index, bits)
}

// params reads the parameters of some columns: a row of them per group.
func (l *gptq) params(s *scratch, first, n int) (params, error) {
	p := params{scale: lend[float32](&s.scale, l.groups*n), zero: lend[int32](&s.zero, l.groups*n)}
	if err := l.scale.readColumns(s, p.scale, l.groups, l.out, first, n); err != nil {
		return p, err
	}
	begin, end := first*l.bits/32, ((first+n)*l.bits+31)/32
	words := lend[uint32](&s.stored, l.groups*(end-begin))
	if err := readColumns(l.zeros, words, l.groups, l.out*l.bits/32, begin, end-begin); err != nil {
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

// readColumns reads the scales of some columns.
func (c *scales) readColumns(s *scratch, dst []float32, rows, cols, first, n int) error {
	if n == cols {
		return c.read(s, dst, 0)
	}
	for r := range rows {
		if err := c.read(s, dst[r*n:][:n], r*cols+first); err != nil {
			return err
		}
	}
	return nil
}

// columnTable has the values of all codes in all groups of column j of n.
func columnTable[T kernels.Float](s *scratch, p params, bits, j, n int) []T {
	codes := 1 << bits
	groups := len(p.scale) / n
	wide := lend[float32](&s.values, groups*codes)
	for g := range groups {
		scale, zero := p.scale[g*n+j], p.zero[g*n+j]
		for q := range codes {
			wide[g*codes+q] = float32(int32(q)-zero) * scale
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
	switch bits {
	case 4:
		for k, w := range stream {
			y, g := dst[8*k:][:8], index[8*k:][:8]
			for i := range 8 {
				y[i] = table[int(g[i])<<4|int(w>>(4*i)&15)]
			}
		}
	case 2:
		for k, w := range stream {
			y, g := dst[16*k:][:16], index[16*k:][:16]
			for i := range 16 {
				y[i] = table[int(g[i])<<2|int(w>>(2*i)&3)]
			}
		}
	default: // of 3 bits
		mask := uint32(1)<<bits - 1
		for i := range dst {
			bit := i * bits
			v := stream[bit/32] >> (bit % 32)
			if bit%32+bits > 32 {
				v |= stream[bit/32+1] << (32 - bit%32)
			}
			dst[i] = table[int(index[i])<<bits|int(v&mask)]
		}
	}
}

// readBytes gives the values of column j of n, of codes of a byte.
func readBytes(dst []float32, stream []uint32, p params, j, n int, index []int32) {
	for k, w := range stream {
		y, g := dst[4*k:][:4], index[4*k:][:4]
		for i := range 4 {
			at := int(g[i])*n + j
			y[i] = float32(int32(w>>(8*i)&255)-p.zero[at]) * p.scale[at]
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
		codes := lend[uint32](&s.codes, l.in*words)
		if err := readColumns(l.codes, codes, l.in, l.out/8, begin, words); err != nil {
			return err
		}
		p := params{scale: lend[float32](&s.scale, l.groups*n), zero: lend[int32](&s.zero, l.groups*n)}
		if err := l.scale.readColumns(s, p.scale, l.groups, l.out, first, n); err != nil {
			return err
		}
		zeros := lend[uint32](&s.stored, l.groups*words)
		if err := readColumns(l.zeros, zeros, l.groups, l.out/8, begin, words); err != nil {
			return err
		}
		for g := range l.groups {
			for j := range n {
				o := first + j
				p.zero[g*n+j] = int32(zeros[g*words+o/8-begin] >> (4 * awqNibble[o%8]) & 15)
			}
		}
		// A row's nibbles are gathered to streams, eight inputs and eight rows at a time.
		streams := lend[uint32](&s.column, n*l.in/8)
		l.gather(streams, codes, first-8*begin, n, words)
		readStreams(s, dst[:n*l.in], streams, p, 4, l.index, l.size)
		dst, first = dst[n*l.in:], first+n
	}
	return nil
}

// gather makes a stream of each of n rows, of codes of so many words for each input; the first word has the row first.
func (l *awq) gather(streams, codes []uint32, first, n, words int) {
	length := l.in / 8
	const most = 32 // so that what is read for some words stays in the first cache
	for from := 0; from < length; from += most {
		for w := range words {
			var to [8][]uint32
			for c, nibble := range awqNibble {
				if j := 8*w + c - first; j >= 0 && j < n {
					to[nibble] = streams[j*length:][:length]
				}
			}
			for k := from; k < min(from+most, length); k++ {
				var block [8]uint32
				at := 8*k*words + w
				for i := range block {
					block[i] = codes[at]
					at += words
				}
				transposeNibbles(&block)
				for nibble, stream := range to {
					if stream != nil {
						stream[k] = block[nibble]
					}
				}
			}
		}
	}
}
