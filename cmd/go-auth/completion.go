package main

import (
	"fmt"
	"strings"
)

// shells are those that completions are made for.
var shells = map[string]func([]command) string{"bash": bash, "zsh": zsh, "fish": fish}

func shellNames() []string { return []string{"bash", "zsh", "fish"} }

func completionCommand() command {
	return command{
		name: "completion", args: "bash|zsh|fish", max: 1, words: shellNames,
		doc: "print what completes commands and flags in a shell",
		more: "`make install` puts them where the shells look. To try one in bash:\n\n" +
			"  source <(go-auth completion bash)\n",
		status: [3]string{"it was printed", "", "the shell is none of these"},
		declare: noFlags(func(s streams, args []string) int {
			if len(args) == 0 || shells[args[0]] == nil {
				return s.misused("completion", fmt.Errorf("name a shell: %s", strings.Join(shellNames(), ", ")))
			}
			fmt.Fprint(s.out, shells[args[0]](commands()))
			return exitGood
		}),
	}
}

// takesFile tells whether the arguments of a command, or the value of a flag, are
// the name of a file.
func takesFile(what string) bool { return strings.Contains(what, "FILE") }

// arguments are the words that the first argument of a command can be.
func (c command) arguments() []string {
	if c.words == nil {
		return nil
	}
	return c.words()
}

const bashHead = `# Completes go-auth in bash. Made by "go-auth completion bash".
_go_auth() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c) ((i++)) ;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	# valued are the flags that want a value, files those that want a file.
	local words='' flags='' valued='' files=''
	case $command in
`

const bashTail = `	esac
	COMPREPLY=()
	case " $files " in
	*" $prev "*) words=FILE ;;
	*)
		[[ " $valued " == *" $prev "* ]] && return
		[[ $cur == -* ]] && words=$flags
		;;
	esac
	if [[ $words == FILE ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	fi
}
complete -F _go_auth go-auth
`

// bash completes the command, its flags, the words that are its first argument,
// and the names of files.
func bash(list []command) string {
	var b strings.Builder
	var all []string
	for _, c := range list {
		all = append(all, c.name)
	}
	b.WriteString(bashHead)
	fmt.Fprintf(&b, "\t'') words='%s' flags=-c files=-c ;;\n", strings.Join(all, " "))
	for _, c := range list {
		words := strings.Join(c.arguments(), " ")
		if takesFile(c.args) {
			words = "FILE"
		}
		var flags, valued, files []string
		for _, f := range c.flags() {
			flags = append(flags, f.name)
			switch {
			case takesFile(f.value):
				files = append(files, f.name)
			case f.value != "":
				valued = append(valued, f.name)
			}
		}
		fmt.Fprintf(&b, "\t%s) words='%s' flags='%s' valued='%s' files='%s' ;;\n", c.name, words,
			strings.Join(flags, " "), strings.Join(valued, " "), strings.Join(files, " "))
	}
	b.WriteString(bashTail)
	return b.String()
}

// quoted is a text between single quotes, for zsh and sh.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// zshTail: a file of fpath is the body of the function that it defines, and may be
// sourced, too.
const zshTail = `if [[ $funcstack[1] == _go-auth ]]; then
	_go-auth "$@"
else
	compdef _go-auth go-auth
fi
`

func zsh(list []command) string {
	var b strings.Builder
	b.WriteString("#compdef go-auth\n# Completes go-auth in zsh. Made by \"go-auth completion zsh\".\n" +
		"_go-auth() {\n\tlocal context state state_descr line\n\ttypeset -A opt_args\n\tlocal -a commands\n\tcommands=(\n")
	for _, c := range list {
		fmt.Fprintf(&b, "\t\t%s\n", quoted(c.name+":"+c.doc))
	}
	// -A: behind the command, -c is the command's.
	b.WriteString("\t)\n\t_arguments -C -A '-*' '-c[the broker'\\''s configuration]:FILE:_files' '1:command:->command' '*::argument:->argument'\n" +
		"\tcase $state in\n\tcommand) _describe command commands ;;\n\targument)\n\t\tcase $line[1] in\n")
	for _, c := range list {
		fmt.Fprintf(&b, "\t\t%s) _arguments", c.name)
		for _, f := range c.flags() {
			b.WriteString(" " + quoted(f.zsh()))
		}
		switch words := c.arguments(); {
		case takesFile(c.args):
			b.WriteString(" '1:FILE:_files'")
		case len(words) > 0:
			b.WriteString(" " + quoted("1:argument:("+strings.Join(words, " ")+")"))
		}
		b.WriteString(" '*:argument: ' ;;\n") // without it, no flag is offered behind an argument
	}
	b.WriteString("\t\tesac\n\t\t;;\n\tesac\n}\n" + zshTail)
	return b.String()
}

// zsh is the flag as _arguments wants it.
func (d described) zsh() string {
	text := d.name + "[" + strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(d.doc) + "]"
	switch {
	case takesFile(d.value):
		text += ":" + d.value + ":_files"
	case d.value != "":
		text += ":" + d.value + ": "
	}
	return text
}

const fishHead = `# Completes go-auth in fish. Made by "go-auth completion fish".

# Whether the command of the line is this one; without one, whether there is none.
function __go_auth_command
	set -l words (commandline -opc)[2..]
	while set -q words[1]
		switch $words[1]
			case -c
				set -e words[1]
			case '-*'
			case '*'
				test "$words[1]" = "$argv"
				return
		end
		set -e words[1]
	end
	test -z "$argv"
end

complete -c go-auth -f
complete -c go-auth -n __go_auth_command -s c -r -F -d 'the broker\'s configuration'
`

func fish(list []command) string {
	var b strings.Builder
	b.WriteString(fishHead)
	doc := func(text string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
	}
	for _, c := range list {
		fmt.Fprintf(&b, "complete -c go-auth -n __go_auth_command -a %s -d %s\n", c.name, doc(c.doc))
	}
	for _, c := range list {
		behind := fmt.Sprintf("complete -c go-auth -n '__go_auth_command %s'", c.name)
		for _, f := range c.flags() {
			fmt.Fprintf(&b, "%s %s -d %s\n", behind, f.fish(), doc(f.doc))
		}
		switch words := c.arguments(); {
		case takesFile(c.args):
			b.WriteString(behind + " -F\n")
		case len(words) > 0:
			fmt.Fprintf(&b, "%s -a %s\n", behind, doc(strings.Join(words, " ")))
		}
	}
	return b.String()
}

// fish is the flag as complete wants it.
func (d described) fish() string {
	bare := strings.TrimLeft(d.name, "-")
	text := "-l " + bare
	if len(bare) == 1 {
		text = "-s " + bare
	}
	switch {
	case takesFile(d.value):
		text += " -r -F"
	case d.value != "":
		text += " -x"
	}
	return text
}
