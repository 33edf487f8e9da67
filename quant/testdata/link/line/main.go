// Command line prints a line.
package main

import "fmt"

func main() { fmt.Println("a line") }
