using System.Buffers.Binary;
using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Weir.Errors;

namespace Weir.Postgres.Backups;

/// <summary>
/// The form of a backup: a compressed tar of <c>manifest.json</c>, then of each table parts of at most <see cref="LongestPart"/> bytes, whole
/// rows as PostgreSQL's COPY writes them, then <c>end.json</c> with the hash of all before it. A file that was cut has no end, and one that
/// was changed another hash.
/// </summary>
internal static class BackupArchive
{
    public const string Manifest = "manifest.json";
    public const string End = "end.json";
    public const int LongestPart = 1 << 20;

    public static string Part(string table, int number) => $"tables/{table}/{number:000000}";

    /// <summary>The table of a part's name; null where it is no part.</summary>
    public static string? TableOf(string name) => name.Split('/') is ["tables", var table, _] ? table : null;

    public static void AddTo(IncrementalHash hash, string name, ReadOnlySpan<byte> content)
    {
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(length, content.Length);
        hash.AppendData(Encoding.UTF8.GetBytes(name + "\0"));
        hash.AppendData(length);
        hash.AppendData(content);
    }
}

/// <summary>Writes one, entry by entry. What is not ended is not a backup.</summary>
internal sealed class BackupWriter : IAsyncDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly GZipStream _gzip;
    private readonly TarWriter _tar;

    public BackupWriter(Stream output)
    {
        _gzip = new GZipStream(output, CompressionLevel.Fastest, leaveOpen: true);
        _tar = new TarWriter(_gzip, TarEntryFormat.Pax, leaveOpen: true);
    }

    public async Task AddAsync(string name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        BackupArchive.AddTo(_hash, name, content.Span);
        await using var data = new MemoryStream(content.ToArray(), writable: false);
        await _tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = data, Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite }, ct);
    }

    public async Task EndAsync(CancellationToken ct)
    {
        var end = new BackupEnd(Convert.ToHexStringLower(_hash.GetHashAndReset()));
        await AddAsync(BackupArchive.End, JsonSerializer.SerializeToUtf8Bytes(end, BackupJson.Default.BackupEnd), ct);
    }

    public async ValueTask DisposeAsync()
    {
        await _tar.DisposeAsync();
        await _gzip.DisposeAsync();
        _hash.Dispose();
    }
}

/// <summary>Reads one, entry by entry, and finds at its end whether it is what was written.</summary>
internal static class BackupReader
{
    private const int LongestEntry = 64 << 20;

    /// <summary>The file's manifest, after the whole file was read and found to be as it was written.</summary>
    /// <exception cref="WeirException">Conflict: it is no backup, or was cut or changed. It says which.</exception>
    public static async Task<BackupManifest> VerifyAsync(string path, Action<string, long> counted, CancellationToken ct)
    {
        var rows = new Dictionary<string, long>(StringComparer.Ordinal);
        var manifest = await ReadAsync(
            path,
            _ => Task.CompletedTask,
            (table, part) =>
            {
                rows[table] = rows.GetValueOrDefault(table) + Lines(part.Span);
                counted(table, part.Length);
                return Task.CompletedTask;
            },
            ct);
        return manifest.Tables.FirstOrDefault(t => t.Rows != rows.GetValueOrDefault(t.Name)) is { } wrong
            ? throw Damaged(path, $"of {wrong.Name} it has {rows.GetValueOrDefault(wrong.Name)} rows, and {wrong.Rows} are announced")
            : manifest;
    }

    /// <summary>Gives the manifest, then each part of each table. That all of it was right is known when this returns.</summary>
    public static async Task<BackupManifest> ReadAsync(
        string path, Func<BackupManifest, Task> begin, Func<string, ReadOnlyMemory<byte>, Task> part, CancellationToken ct)
    {
        try
        {
            await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, useAsync: true);
            await using var gzip = new GZipStream(file, CompressionMode.Decompress);
            await using var tar = new TarReader(gzip);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            BackupManifest? manifest = null;
            while (await NextAsync(tar, ct) is var (name, content))
            {
                if (name == BackupArchive.End)
                {
                    RequireEnd(path, content, hash);
                    await RequireNothingMoreAsync(path, tar, gzip, ct);
                    return manifest ?? throw Damaged(path, "it has no manifest");
                }

                BackupArchive.AddTo(hash, name, content.Span);
                if (manifest is null)
                {
                    manifest = Manifest(path, name, content);
                    await begin(manifest);
                }
                else
                {
                    await part(BackupArchive.TableOf(name) ?? throw Damaged(path, $"it has an entry {name}"), content);
                }
            }

            throw Damaged(path, "it was cut: it has no end");
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or JsonException)
        {
            throw Damaged(path, "it was cut or changed", e);
        }
    }

    /// <summary>A part holds whole rows, a line each: in them a line end is written as two characters.</summary>
    public static long Lines(ReadOnlySpan<byte> part) => part.Count((byte)'\n');

    private static async Task<(string Name, ReadOnlyMemory<byte> Content)?> NextAsync(TarReader tar, CancellationToken ct)
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

    private static BackupManifest Manifest(string path, string name, ReadOnlyMemory<byte> content)
    {
        if (name != BackupArchive.Manifest)
        {
            throw new WeirException(ErrorCode.Conflict, $"{path} is no backup of Weir's: it begins with {name}.");
        }

        using var head = JsonDocument.Parse(content);
        return head.RootElement.TryGetProperty("format", out var format) && format.TryGetInt32(out var number) && number == BackupManifest.CurrentFormat
            ? JsonSerializer.Deserialize(content.Span, BackupJson.Default.BackupManifest)!
            : throw new WeirException(ErrorCode.Conflict, $"{path} has the form {format}, and this release of Weir reads {BackupManifest.CurrentFormat}.",
                "Restore it with the release that wrote it, or a newer one.");
    }

    private static void RequireEnd(string path, ReadOnlyMemory<byte> content, IncrementalHash hash)
    {
        var end = JsonSerializer.Deserialize(content.Span, BackupJson.Default.BackupEnd)!;
        if (end.Sha256 != Convert.ToHexStringLower(hash.GetHashAndReset()))
        {
            throw Damaged(path, "it was changed: its hash is another one");
        }
    }

    /// <summary>Reads to the very end, so that the compression's own check of the bytes is made too.</summary>
    private static async Task RequireNothingMoreAsync(string path, TarReader tar, GZipStream gzip, CancellationToken ct)
    {
        if (await tar.GetNextEntryAsync(copyData: false, ct) is { } more)
        {
            throw Damaged(path, $"it goes on after its end, with {more.Name}");
        }

        await gzip.CopyToAsync(Stream.Null, ct);
    }

    private static WeirException Damaged(string path, string how, Exception? inner = null) =>
        new(ErrorCode.Conflict, $"{path} is not whole: {how}. Nothing was restored.", "Take another copy of this backup, or an older backup.", inner);
}
