using Npgsql;
using NpgsqlTypes;

namespace Weir.Postgres;

/// <summary>Positional parameters. Each says its type even where the value is null, so that a statement has one prepared form.</summary>
internal static class Sql
{
    public static NpgsqlParameter Uuid(Guid? value) => Of(NpgsqlDbType.Uuid, value);

    public static NpgsqlParameter Text(string? value) => Of(NpgsqlDbType.Text, value);

    public static NpgsqlParameter Bytea(byte[]? value) => Of(NpgsqlDbType.Bytea, value);

    public static NpgsqlParameter Integer(int? value) => Of(NpgsqlDbType.Integer, value);

    public static NpgsqlParameter Bigint(long? value) => Of(NpgsqlDbType.Bigint, value);

    public static NpgsqlParameter Boolean(bool? value) => Of(NpgsqlDbType.Boolean, value);

    public static NpgsqlParameter Interval(TimeSpan? value) => Of(NpgsqlDbType.Interval, value);

    public static NpgsqlParameter Timestamp(DateTimeOffset? value) => Of(NpgsqlDbType.TimestampTz, value?.ToUniversalTime());

    /// <summary>The text of a JSON document.</summary>
    public static NpgsqlParameter Jsonb(string? json) => Of(NpgsqlDbType.Jsonb, json);

    public static NpgsqlParameter Array<T>(NpgsqlDbType element, T[]? values) => Of(NpgsqlDbType.Array | element, values);

    /// <summary>One column of many rows.</summary>
    public static NpgsqlParameter Column<TItem, TValue>(NpgsqlDbType type, IReadOnlyList<TItem> items, Func<TItem, TValue> value)
    {
        var values = new TValue[items.Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = value(items[i]);
        }

        return Array(type, values);
    }

    /// <summary>
    /// A literal whose type follows from where it stands, as one in quotes would: what it is compared with says how it is read.
    /// </summary>
    public static NpgsqlParameter Literal(string value) => Of(NpgsqlDbType.Unknown, value);

    /// <summary>The text of a JSON document, in the form in which it came.</summary>
    public static NpgsqlParameter Json(string json) => Of(NpgsqlDbType.Json, json);

    private static NpgsqlParameter Of(NpgsqlDbType type, object? value) => new() { NpgsqlDbType = type, Value = value ?? DBNull.Value };
}
