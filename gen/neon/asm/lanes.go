package asm

import "fmt"

// Permutations of elements; n's come first in memory order.

// UZP1 has in d the even elements of n, then of m.
func (p *Printer) UZP1(s Size, d, n, m V) { sized("UZP1", s, B, D); p.full("VUZP1", s, d, n, m) }

// UZP2 has in d the odd elements of n, then of m.
func (p *Printer) UZP2(s Size, d, n, m V) { sized("UZP2", s, B, D); p.full("VUZP2", s, d, n, m) }

// ZIP1 has in d the lower halves of n and m, element by element in turn.
func (p *Printer) ZIP1(s Size, d, n, m V) { sized("ZIP1", s, B, D); p.full("VZIP1", s, d, n, m) }

// ZIP2 has in d the upper halves of n and m, element by element in turn.
func (p *Printer) ZIP2(s Size, d, n, m V) { sized("ZIP2", s, B, D); p.full("VZIP2", s, d, n, m) }

// TBL is d = the bytes, at m's indexes, of count registers from table on, 1 to
// 4; an index beyond them gives 0.
func (p *Printer) TBL(d, table V, count int, m V) {
	p.op("VTBL", m.of(B), table.list("TBL", count), d.of(B))
}

// Copies.

// MOV is d = n.
func (p *Printer) MOV(d, n V) { p.op("VMOV", n.of(B), d.of(B)) }

// MOVI is d = imm in each byte; 0 clears the register, in the form that processors know to need no execution.
func (p *Printer) MOVI(d V, imm uint8) {
	if imm == 0 {
		p.word(0x6f00e400|d.bits(), "movi v%d.2d, #0000000000000000", d)
		return
	}
	p.op("VMOVI", fmt.Sprintf("$%d", imm), d.of(B))
}

// LITERAL is d = the 16 bytes lo, hi in memory order of lo, hi. It is three
// instructions, by way of R27, and shares equal constants.
func (p *Printer) LITERAL(d V, lo, hi uint64) {
	p.op("VMOVQ", fmt.Sprintf("$0x%016x", lo), fmt.Sprintf("$0x%016x", hi), d.plain())
}

// DUP is d = element i of n in each lane.
func (p *Printer) DUP(s Size, d, n V, i int) { p.op("VDUP", n.lane("DUP", s, i), d.of(s)) }

// DUPX is d = the low bits of general register n in each lane.
func (p *Printer) DUPX(s Size, d V, n R) {
	sized("DUPX", s, B, D)
	p.op("VDUP", n.name(), d.of(s))
}
