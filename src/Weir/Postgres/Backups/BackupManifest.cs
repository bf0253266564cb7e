using System.Text.Json;
using System.Text.Json.Serialization;
using Weir.Errors;

namespace Weir.Postgres.Backups;

/// <summary>What a backup says of itself: the first entry of its file. Read in the same snapshot as the rows.</summary>
/// <param name="Format">1. Another form of the file has another number.</param>
/// <param name="Version">Of the Weir that wrote it.</param>
/// <param name="Migrations">The schema: name and checksum of each migration that the database had had, in order.</param>
/// <param name="Tables">In the order in which they are in the file, and are loaded.</param>
internal sealed record BackupManifest(
    int Format, string Version, int PostgresVersion, BackupMigration[] Migrations, BackupTable[] Tables, BackupFacts Facts)
{
    public const int CurrentFormat = 1;

    [JsonIgnore]
    public long Rows => Tables.Sum(t => t.Rows);
}

/// <param name="Checksum">SHA-256, hexadecimal.</param>
internal sealed record BackupMigration(string Name, string Checksum);

/// <param name="Columns">In the order of the copied rows, quoted where they must be.</param>
/// <param name="RefersTo">The tables whose rows must be there before.</param>
internal sealed record BackupTable(string Name, string[] Columns, string[] RefersTo, long Rows)
{
    /// <summary>A table comes after those that its rows refer to.</summary>
    public static IReadOnlyList<BackupTable> InOrder(IReadOnlyList<BackupTable> tables)
    {
        var ordered = new List<BackupTable>();
        var left = tables.ToList();
        while (left.Count > 0)
        {
            var next = left.Where(t => t.RefersTo.All(r => left.All(l => l.Name != r))).ToArray();
            if (next.Length == 0)
            {
                throw new WeirException(ErrorCode.Internal,
                    $"Tables refer to each other in a circle: {string.Join(", ", left.Select(t => t.Name))}.", "Report this.");
            }

            ordered.AddRange(next);
            left.RemoveAll(next.Contains);
        }

        return ordered;
    }
}

/// <summary>What the database says of itself (<c>weir.backup_facts</c>).</summary>
/// <param name="At">The time of the snapshot, by the database's clock.</param>
/// <param name="Keyring">The fingerprint of the keyring, hexadecimal; null where no replica has brought one yet.</param>
/// <param name="OwnUsers">Whether logins are Weir's; else they are another system's, and not in the backup.</param>
/// <param name="Log">The audit log: how many rows, their hashes one over the other, its months, its last rows.</param>
/// <param name="Authorities">How many grants, keys, members … are active, by kind.</param>
internal sealed record BackupFacts(
    DateTimeOffset At, int Epoch, string? Keyring, bool OwnUsers, BackupLog Log, Dictionary<string, long> Authorities);

internal sealed record BackupLog(long Rows, string[] Hashes, string[] Months, BackupLogRow[] Last)
{
    /// <summary>Null where the other one is the same record.</summary>
    public string? DifferenceTo(BackupLog other) =>
        Rows != other.Rows ? $"{Rows} rows and {other.Rows}"
        : !Last.SequenceEqual(other.Last) ? "its last rows differ"
        : !Hashes.SequenceEqual(other.Hashes, StringComparer.Ordinal) ? "the hashes of its rows differ"
        : null;
}

internal sealed record BackupLogRow(Guid Id, string Phase, string Hash);

/// <summary>The last entry of the file.</summary>
/// <param name="Sha256">Of every byte before this entry.</param>
internal sealed record BackupEnd(string Sha256);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true,
    WriteIndented = true)]
[JsonSerializable(typeof(BackupManifest))]
[JsonSerializable(typeof(BackupFacts))]
[JsonSerializable(typeof(BackupEnd))]
internal sealed partial class BackupJson : JsonSerializerContext;
