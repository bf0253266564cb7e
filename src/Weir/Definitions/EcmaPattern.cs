using System.Buffers;

namespace Weir.Definitions;

/// <summary>
/// Whether a pattern is surely one of ECMAScript's with the flag <c>u</c>, as JSON Schema validators compile it. Only the plain part
/// of the grammar is accepted: no look-behind, no named groups, no properties of Unicode, no references.
/// </summary>
internal ref struct EcmaPattern
{
    private const int MaxDepth = 32;
    private const string SyntaxCharacters = @"^$\.*+?()[]{}|/";
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF");

    private readonly ReadOnlySpan<char> _text;
    private int _at;

    private EcmaPattern(ReadOnlySpan<char> text) => _text = text;

    public static bool IsPlain(string pattern)
    {
        var reader = new EcmaPattern(pattern);
        return reader.Alternatives(depth: 0) && reader._at == pattern.Length;
    }

    private readonly char Next => _at < _text.Length ? _text[_at] : '\0';

    private bool Alternatives(int depth)
    {
        while (_at < _text.Length && Next != ')')
        {
            if (Next == '|')
            {
                _at++;
            }
            else if (!Term(depth))
            {
                return false;
            }
        }

        return true;
    }

    private bool Term(int depth)
    {
        switch (_text[_at++])
        {
            case '^' or '$':
                return Next is not ('*' or '+' or '?' or '{');
            case '(':
                return Group(depth) && Quantifier();
            case '[':
                return Class() && Quantifier();
            case '\\':
                if (Next is 'b' or 'B')
                {
                    _at++;
                    return Next is not ('*' or '+' or '?' or '{');
                }

                return Escape(inClass: false) && Quantifier();
            case '*' or '+' or '?' or '{' or '}' or ']' or '\0':
                return false;
            default:
                return Quantifier();
        }
    }

    private bool Group(int depth)
    {
        var isAssertion = false;
        if (Next == '?')
        {
            _at++;
            if (Next is not (':' or '=' or '!'))
            {
                return false;
            }

            isAssertion = Next != ':';
            _at++;
        }

        if (depth >= MaxDepth || !Alternatives(depth + 1) || Next != ')')
        {
            return false;
        }

        _at++;
        return !isAssertion || Next is not ('*' or '+' or '?' or '{');
    }

    private bool Quantifier()
    {
        switch (Next)
        {
            case '*' or '+' or '?':
                _at++;
                break;
            case '{':
                if (!Braces())
                {
                    return false;
                }

                break;
            default:
                return true;
        }

        if (Next == '?')
        {
            _at++;
        }

        return Next is not ('*' or '+' or '?' or '{');
    }

    private bool Braces()
    {
        _at++;
        if (Number() is not { } least)
        {
            return false;
        }

        var most = least;
        if (Next == ',')
        {
            _at++;
            most = Next == '}' ? int.MaxValue : Number() ?? -1;
        }

        return most >= least && _at < _text.Length && _text[_at++] == '}';
    }

    private int? Number()
    {
        var start = _at;
        while (char.IsAsciiDigit(Next))
        {
            _at++;
        }

        return _at - start is > 0 and <= 6 ? int.Parse(_text[start.._at], System.Globalization.CultureInfo.InvariantCulture) : null;
    }

    /// <summary>Ranges only between plain characters, in order.</summary>
    private bool Class()
    {
        if (Next == '^')
        {
            _at++;
        }

        while (_at < _text.Length && Next != ']')
        {
            var first = Next;
            if (!ClassCharacter())
            {
                return false;
            }

            if (Next != '-' || _at + 1 >= _text.Length || _text[_at + 1] == ']')
            {
                continue;
            }

            _at++;
            var last = Next;
            if (first == '\\' || last == '\\' || char.IsSurrogate(first) || char.IsSurrogate(last) || first > last || !ClassCharacter())
            {
                return false;
            }
        }

        return _at < _text.Length && _text[_at++] == ']';
    }

    private bool ClassCharacter()
    {
        var c = Next;
        _at++;
        return c == '\\' ? Escape(inClass: true) : c is not ('[' or '\0');
    }

    private bool Escape(bool inClass)
    {
        if (_at >= _text.Length)
        {
            return false;
        }

        var c = _text[_at++];
        if (c is 'd' or 'D' or 'w' or 'W' or 's' or 'S' or 'f' or 'n' or 'r' or 't' or 'v' || SyntaxCharacters.Contains(c)
            || (inClass && c == '-'))
        {
            return true;
        }

        var digits = c switch { 'x' => 2, 'u' => 4, _ => 0 };
        if (digits == 0 || _at + digits > _text.Length || _text.Slice(_at, digits).ContainsAnyExcept(HexDigits))
        {
            return false;
        }

        _at += digits;
        return true;
    }
}
