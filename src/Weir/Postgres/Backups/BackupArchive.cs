using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using Weir.Errors;

namespace Weir.Postgres.Backups;

/// <summary>
/// The form of a backup: a tar of <c>manifest.json</c>, then of each table compressed parts of at most <see cref="LongestPart"/> bytes,
/// whole rows as PostgreSQL's COPY writes them, then <c>end.json</c> with the hash of every byte before it. A file that was cut has no end,
/// and one in which a byte was changed another hash.
/// </summary>
internal static class BackupArchive
{
    public const string Manifest = "manifest.json";
    public const int LongestPart = 1 << 20;
    private const string EndName = "end.json";

    public static int EndLength { get; } = End(new byte[SHA256.HashSizeInBytes]).Length;

    public static string Part(string table, int number) => $"tables/{table}/{number:000000}.gz";

    /// <summary>The table of a part's name; null where it is no part.</summary>
    public static string? TableOf(string name) => name.Split('/') is ["tables", var table, _] ? table : null;

    /// <summary>The last bytes of a file whose other bytes have this hash; the same ones for everybody who makes them.</summary>
    public static byte[] End(byte[] hash)
    {
        var bytes = new MemoryStream();
        using (var tar = new TarWriter(bytes, TarEntryFormat.Ustar, leaveOpen: true))
        {
            tar.WriteEntry(
                Entry(EndName,
                    JsonSerializer.SerializeToUtf8Bytes(new BackupEnd(Convert.ToHexStringLower(hash)), BackupJson.Default.BackupEnd)));
        }

        return bytes.ToArray();
    }

    public static bool IsEnd(string name) => name == EndName;

    public static UstarTarEntry Entry(string name, byte[] content) => new(TarEntryType.RegularFile, name)
    {
        DataStream = new MemoryStream(content, writable: false), Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        ModificationTime = DateTimeOffset.UnixEpoch,
    };
}

/// <summary>Writes one, entry by entry. What is not ended is not a backup.</summary>
internal sealed class BackupWriter : IAsyncDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly MemoryStream _entry = new();
    private readonly Stream _output;
    private readonly TarWriter _tar;

    public BackupWriter(Stream output) => (_output, _tar) = (output, new TarWriter(_entry, TarEntryFormat.Ustar, leaveOpen: true));

    public async Task AddAsync(string name, byte[] content, CancellationToken ct)
    {
        await _tar.WriteEntryAsync(BackupArchive.Entry(name, content), ct);
        _hash.AppendData(_entry.GetBuffer().AsSpan(0, (int)_entry.Length));
        await _output.WriteAsync(_entry.GetBuffer().AsMemory(0, (int)_entry.Length), ct);
        _entry.SetLength(0);
    }

    public async Task AddPartAsync(string table, int number, ReadOnlyMemory<byte> rows, CancellationToken ct)
    {
        var packed = new MemoryStream();
        await using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            await gzip.WriteAsync(rows, ct);
        }

        await AddAsync(BackupArchive.Part(table, number), packed.ToArray(), ct);
    }

    public async Task EndAsync(CancellationToken ct) => await _output.WriteAsync(BackupArchive.End(_hash.GetHashAndReset()), ct);

    public async ValueTask DisposeAsync()
    {
        await _tar.DisposeAsync();
        await _entry.DisposeAsync();
        _hash.Dispose();
    }
}

/// <summary>Reads one, entry by entry.</summary>
internal static class BackupReader
{
    private const int LongestEntry = 256 << 20;

    /// <summary>The file's manifest, after the whole file was read and every byte of it found to be as it was written.</summary>
    /// <exception cref="WeirException">Conflict: it is no backup, or was cut or changed. It says which.</exception>
    public static async Task<BackupManifest> VerifyAsync(string path, CancellationToken ct)
    {
        await RequireWholeAsync(path, ct);
        var rows = new Dictionary<string, long>(StringComparer.Ordinal);
        var manifest = await ReadAsync(
            path,
            (table, part) =>
            {
                rows[table] = rows.GetValueOrDefault(table) + Lines(part.Span);
                return Task.CompletedTask;
            },
            ct);
        return manifest.Tables.FirstOrDefault(t => t.Rows != rows.GetValueOrDefault(t.Name)) is { } wrong
            ? throw Damaged(path, $"of {wrong.Name} it has {rows.GetValueOrDefault(wrong.Name)} rows, and {wrong.Rows} are announced")
            : manifest;
    }

    /// <summary>Gives each part of each table, unpacked.</summary>
    public static async Task<BackupManifest> ReadAsync(string path, Func<string, ReadOnlyMemory<byte>, Task> part, CancellationToken ct)
    {
        try
        {
            await using var tar = new TarReader(Open(path));
            var manifest = await NextAsync(tar, ct) is var (first, head) ? Manifest(path, first, head) : throw Damaged(path, "it is empty");
            while (await NextAsync(tar, ct) is var (name, content) && !BackupArchive.IsEnd(name))
            {
                await part(BackupArchive.TableOf(name) ?? throw Damaged(path, $"it has an entry {name}"), await UnpackAsync(content, ct));
            }

            return manifest;
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or JsonException)
        {
            throw Damaged(path, "it was cut or changed, or is no backup", e);
        }
    }

    /// <summary>A part holds whole rows, a line each: in them a line end is written as two characters.</summary>
    public static long Lines(ReadOnlySpan<byte> part) => part.Count((byte)'\n');

    private static FileStream Open(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, useAsync: true);

    private static async Task RequireWholeAsync(string path, CancellationToken ct)
    {
        await using var file = Open(path);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 17];
        for (var left = file.Length - BackupArchive.EndLength; left > 0;)
        {
            var read = await file.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)), ct);
            hash.AppendData(buffer.AsSpan(0, read));
            left = read == 0 ? 0 : left - read;
        }

        var end = new byte[BackupArchive.EndLength];
        if (await file.ReadAtLeastAsync(end, end.Length, throwOnEndOfStream: false, ct) != end.Length
            || !end.AsSpan().SequenceEqual(BackupArchive.End(hash.GetHashAndReset())))
        {
            throw Damaged(path, "it was cut or changed, or is no backup");
        }
    }

    private static async Task<(string Name, byte[] Content)?> NextAsync(TarReader tar, CancellationToken ct)
    {
        if (await tar.GetNextEntryAsync(copyData: false, ct) is not { } entry)
        {
            return null;
        }

        if (entry.Length > LongestEntry)
        {
            throw new InvalidDataException($"The entry {entry.Name} has {entry.Length} bytes.");
        }

        var content = new byte[entry.Length];
        if (entry.DataStream is { } data)
        {
            await data.ReadExactlyAsync(content, ct);
        }

        return (entry.Name, content);
    }

    private static async Task<ReadOnlyMemory<byte>> UnpackAsync(byte[] packed, CancellationToken ct)
    {
        var rows = new MemoryStream(BackupArchive.LongestPart);
        await using var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        var buffer = new byte[1 << 16];
        while (await gzip.ReadAsync(buffer, ct) is > 0 and var read)
        {
            rows.Write(buffer, 0, read);
            if (rows.Length > LongestEntry)
            {
                throw new InvalidDataException($"A part has more than {LongestEntry} bytes.");
            }
        }

        return rows.GetBuffer().AsMemory(0, (int)rows.Length);
    }

    private static BackupManifest Manifest(string path, string name, ReadOnlyMemory<byte> content)
    {
        if (name != BackupArchive.Manifest)
        {
            throw new WeirException(ErrorCode.Conflict, $"{path} is no backup of Weir's: it begins with {name}.");
        }

        using var head = JsonDocument.Parse(content);
        return head.RootElement.TryGetProperty("format", out var format) && format.TryGetInt32(out var number)
            && number == BackupManifest.CurrentFormat
            ? JsonSerializer.Deserialize(content.Span, BackupJson.Default.BackupManifest)!
            : throw new WeirException(
                ErrorCode.Conflict, $"{path} has the form {format}, and this release of Weir reads {BackupManifest.CurrentFormat}.",
                "Restore it with the release that wrote it, or a newer one.");
    }

    private static WeirException Damaged(string path, string how, Exception? inner = null) =>
        new(ErrorCode.Conflict, $"{path} is not whole: {how}.", "Take another copy of this backup, or an older backup.", inner);
}
