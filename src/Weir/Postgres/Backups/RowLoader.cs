using Npgsql;
using Weir.Errors;

namespace Weir.Postgres.Backups;

/// <summary>Gives PostgreSQL the parts of a backup as they come: one COPY for each table.</summary>
internal sealed class RowLoader(OwnerSession session, Progress progress, BackupTable[] tables) : IAsyncDisposable
{
    private NpgsqlCopyTextWriter? _copy;
    private int _table = -1;

    public async Task AddAsync(string table, ReadOnlyMemory<byte> part, CancellationToken ct)
    {
        if (_table < 0 || tables[_table].Name != table)
        {
            await EndAsync(ct);
            _table = Array.FindIndex(tables, t => t.Name == table) is >= 0 and var found
                ? found
                : throw new WeirException(
                    ErrorCode.Conflict, $"The backup has rows of {table}, which its manifest does not name.", "Take another copy.");
            var columns = string.Join(", ", tables[_table].Columns);
            _copy = await session.Connection.BeginTextImportAsync($"copy {table} ({columns}) from stdin", ct);
        }

        await _copy!.BaseStream.WriteAsync(part, ct);
        progress.Count(_table + 1, tables.Length, table, BackupReader.Lines(part.Span), part.Length);
    }

    /// <summary>The last table's rows are in, and their references were checked.</summary>
    public async Task EndAsync(CancellationToken ct)
    {
        if (_copy is { } copy)
        {
            _copy = null;
            await copy.DisposeAsync();
        }
    }

    /// <summary>Without <see cref="EndAsync"/> nothing of the last table is kept.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_copy is { } copy)
        {
            _copy = null;
            await copy.CancelAsync();
            await copy.DisposeAsync();
        }
    }
}
