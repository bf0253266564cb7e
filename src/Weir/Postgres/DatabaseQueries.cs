using System.Text.Json;
using Npgsql;
using Weir.Configuration;

namespace Weir.Postgres;

/// <summary>
/// One statement in one implicit transaction. The text must be a constant: it is what the driver prepares by.
/// Failures come out as <see cref="Errors.WeirException"/>.
/// </summary>
internal static class DatabaseQueries
{
    public static Task<IReadOnlyList<T>> QueryAsync<T>(
        this NpgsqlDataSource source, string sql, NpgsqlParameter[] parameters, Func<NpgsqlDataReader, T> map,
        CancellationToken cancellationToken) =>
        DatabaseErrors.GuardAsync<IReadOnlyList<T>>(async () =>
        {
            await using var connection = await source.OpenLiveAsync(cancellationToken);
            await using var command = new NpgsqlCommand(sql, connection);
            command.Parameters.AddRange(parameters);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            var rows = new List<T>();
            while (await reader.ReadAsync(cancellationToken))
            {
                rows.Add(map(reader));
            }

            return rows;
        });

    /// <summary>The first column of the first row; default where it is null or there is no row.</summary>
    public static Task<T?> ScalarAsync<T>(
        this NpgsqlDataSource source, string sql, NpgsqlParameter[] parameters, CancellationToken cancellationToken) =>
        DatabaseErrors.GuardAsync(async () =>
        {
            await using var connection = await source.OpenLiveAsync(cancellationToken);
            await using var command = new NpgsqlCommand(sql, connection);
            command.Parameters.AddRange(parameters);
            return await command.ExecuteScalarAsync(cancellationToken) is T value ? value : default;
        });

    public static Task ExecuteAsync(
        this NpgsqlDataSource source, string sql, NpgsqlParameter[] parameters, CancellationToken cancellationToken) =>
        DatabaseErrors.GuardAsync(async () =>
        {
            await using var connection = await source.OpenLiveAsync(cancellationToken);
            await using var command = new NpgsqlCommand(sql, connection);
            command.Parameters.AddRange(parameters);
            return await command.ExecuteNonQueryAsync(cancellationToken);
        });

    /// <summary>A column of type json or jsonb; an undefined element where it is null.</summary>
    public static JsonElement GetJson(this NpgsqlDataReader reader, int ordinal) =>
        reader.IsDBNull(ordinal)
            ? default : JsonElement.Parse(reader.GetFieldValue<byte[]>(ordinal), new JsonDocumentOptions { MaxDepth = JsonDepth.Wrapped });

    public static T? GetNullable<T>(this NpgsqlDataReader reader, int ordinal)
        where T : struct => reader.IsDBNull(ordinal) ? null : reader.GetFieldValue<T>(ordinal);

    public static string? GetNullableString(this NpgsqlDataReader reader, int ordinal) => reader.IsDBNull(ordinal)
        ? null : reader.GetString(ordinal);
}
