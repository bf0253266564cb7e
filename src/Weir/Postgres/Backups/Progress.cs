namespace Weir.Postgres.Backups;

/// <summary>Says how far it is, at most every two seconds, and whenever a step is done.</summary>
internal sealed class Progress(Action<string> say, TimeProvider time)
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(2);

    private long _said = time.GetTimestamp();
    private long _rows;
    private long _bytes;

    public void Say(string text)
    {
        _said = time.GetTimestamp();
        say(text);
    }

    /// <param name="table">The number of the table, from 1.</param>
    public void Count(int table, int tables, string name, long rows, long bytes)
    {
        (_rows, _bytes) = (_rows + rows, _bytes + bytes);
        if (time.GetElapsedTime(_said) >= Every)
        {
            Say($"table {table} of {tables}, {name}: {Done}");
        }
    }

    public string Done => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{_rows} rows, {_bytes / 1048576.0:0.0} MiB");
}
