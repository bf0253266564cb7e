namespace Weir.Models;

/// <summary>
/// Whether a pattern means the same to every engine that a provider may check it with: ECMAScript's, Python's and Rust's. No
/// look-around, references, named groups or properties of Unicode; nothing that is a literal for one and an error for another.
/// </summary>
internal ref struct SchemaPattern
{
    private const int MaxLength = 1000;
    private const int MaxGroups = 20;
    private const int MaxRepeat = 1000;

    /// <summary>States after expanding the repetitions.</summary>
    private const long MaxSize = 10_000;

    private const string Syntax = "^$\\.*+?()[]{}|/";
    private const string Classes = "dDwWsS";
    private const string Controls = "nrtfv";

    private readonly ReadOnlySpan<char> _text;
    private int _at;

    private SchemaPattern(ReadOnlySpan<char> text) => _text = text;

    public static bool IsPortable(string pattern)
    {
        if (pattern.Length > MaxLength || pattern.Any(c => char.IsControl(c) || char.IsSurrogate(c)))
        {
            return false;
        }

        var parser = new SchemaPattern(pattern);
        return parser.TryAlternatives(0, out var size) && parser._at == pattern.Length && size <= MaxSize;
    }

    private readonly char Next => _at < _text.Length ? _text[_at] : '\0';

    private bool TryAlternatives(int groups, out long size)
    {
        size = 0;
        do
        {
            while (_at < _text.Length && Next is not ('|' or ')'))
            {
                if (!TryTerm(groups, out var one))
                {
                    return false;
                }

                size += one;
            }
        }
        while (TryTake('|'));

        return size <= MaxSize;
    }

    private bool TryTerm(int groups, out long size)
    {
        size = 1;
        if (TryTake('^') || TryTake('$') || TryTakeBoundary())
        {
            return Next is not ('*' or '+' or '?' or '{');
        }

        var isGood = Next switch
        {
            '(' => TryGroup(groups, out size),
            '[' => TryClass(),
            '\\' => TryEscape(isInClass: false, out _),
            '*' or '+' or '?' or '{' or '}' or ']' or ')' => false,
            _ => TryAny(),
        };
        return isGood && TryQuantifier(ref size);
    }

    private bool TryGroup(int groups, out long size)
    {
        size = 0;
        _at++;
        if (groups >= MaxGroups || (Next == '?' && (_at + 1 >= _text.Length || _text[_at + 1] != ':')))
        {
            return false;
        }

        _at += Next == '?' ? 2 : 0;
        return TryAlternatives(groups + 1, out size) && TryTake(')');
    }

    private bool TryQuantifier(ref long size)
    {
        if (TryTake('*') || TryTake('+') || TryTake('?'))
        {
            TryTake('?');
        }
        else if (TryTake('{'))
        {
            if (!TryNumber(out var least))
            {
                return false;
            }

            var most = least;
            if (TryTake(',') && Next != '}' && (!TryNumber(out most) || most < least))
            {
                return false;
            }

            if (!TryTake('}'))
            {
                return false;
            }

            size *= Math.Max(1, most);
            TryTake('?');
        }

        return size <= MaxSize && Next is not ('*' or '+' or '?' or '{');
    }

    private bool TryNumber(out int number)
    {
        number = 0;
        var start = _at;
        while (char.IsAsciiDigit(Next) && number <= MaxRepeat)
        {
            number = (number * 10) + (Next - '0');
            _at++;
        }

        return _at > start && number <= MaxRepeat;
    }

    private bool TryClass()
    {
        _at++;
        TryTake('^');
        var isFirst = true;
        while (_at < _text.Length && Next != ']')
        {
            if (!TryMember(isFirst, out var low))
            {
                return false;
            }

            isFirst = false;
            if (Next == '-' && _at + 1 < _text.Length && _text[_at + 1] != ']')
            {
                _at++;
                if (low is null || !TryMember(isFirst: false, out var high) || high is null || high < low)
                {
                    return false;
                }
            }
        }

        return !isFirst && TryTake(']');
    }

    /// <param name="value">Null: a class of characters, which begins and ends no range.</param>
    private bool TryMember(bool isFirst, out int? value)
    {
        value = null;
        if (Next == '\\')
        {
            return TryEscape(isInClass: true, out value);
        }

        // Two of these are operators of sets in some engines; a hyphen between others is a range in one and an error in another.
        var isLast = _at + 1 < _text.Length && _text[_at + 1] == ']';
        var isTwice = _at + 1 < _text.Length && _text[_at + 1] == Next && Next is '&' or '~';
        if (Next == '[' || isTwice || (Next == '-' && !isFirst && !isLast) || (Next == '^' && isFirst))
        {
            return false;
        }

        value = Next;
        _at++;
        return true;
    }

    private bool TryEscape(bool isInClass, out int? value)
    {
        value = null;
        _at++;
        var escaped = Next;
        _at++;
        if (Classes.Contains(escaped, StringComparison.Ordinal))
        {
            return true;
        }

        if (Controls.Contains(escaped, StringComparison.Ordinal) || (escaped != '\0' && Syntax.Contains(escaped, StringComparison.Ordinal))
            || (isInClass && escaped == '-'))
        {
            value = escaped switch { 'n' => '\n', 'r' => '\r', 't' => '\t', 'f' => '\f', 'v' => '\v', _ => escaped };
            return true;
        }

        var digits = escaped switch { 'x' => 2, 'u' => 4, _ => 0 };
        if (digits == 0 || _at + digits > _text.Length
            || !ushort.TryParse(_text.Slice(_at, digits), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var unit)
            || char.IsSurrogate((char)unit))
        {
            return false;
        }

        _at += digits;
        value = unit;
        return true;
    }

    private bool TryTakeBoundary()
    {
        var isBoundary = Next == '\\' && _at + 1 < _text.Length && _text[_at + 1] is 'b' or 'B';
        _at += isBoundary ? 2 : 0;
        return isBoundary;
    }

    private bool TryAny()
    {
        _at++;
        return true;
    }

    private bool TryTake(char wanted)
    {
        var isThere = _at < _text.Length && Next == wanted;
        _at += isThere ? 1 : 0;
        return isThere;
    }
}
